# Cluster, log, registry secret and file system.

resource "aws_ecs_cluster" "cluster" {
  name = var.name
}

resource "aws_ecs_cluster_capacity_providers" "cluster" {
  cluster_name       = aws_ecs_cluster.cluster.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
  }
}

resource "aws_cloudwatch_log_group" "log_group" {
  name              = "/${var.name}/tasks"
  retention_in_days = var.log_retention_days
}

# Empty on purpose: no password goes through a module or its state.
resource "aws_secretsmanager_secret" "registry_secret" {
  count       = var.make_registry_secret ? 1 : 0
  name        = "${var.name}/registry"
  description = "Login of the image's registry; fargate-runner registry-secret set USER fills it"
}

# The data goes only if somebody takes this guard away.
resource "aws_efs_file_system" "file_system" {
  count            = var.make_file_system ? 1 : 0
  encrypted        = true
  performance_mode = "generalPurpose"
  throughput_mode  = "elastic"
  tags             = { Name = var.name }

  lifecycle_policy {
    transition_to_ia = "AFTER_30_DAYS"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_efs_backup_policy" "file_system" {
  count          = var.make_file_system ? 1 : 0
  file_system_id = aws_efs_file_system.file_system[0].id

  backup_policy {
    status = var.back_up_file_system ? "ENABLED" : "DISABLED"
  }
}

# It allows nothing: `fargate-runner efs apply` adds who may mount which access point, so what it says later is not
# this module's business. It denies data that is not encrypted on its way.
resource "aws_efs_file_system_policy" "file_system" {
  count          = var.make_file_system ? 1 : 0
  file_system_id = aws_efs_file_system.file_system[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "EncryptedOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:ClientRootAccess"]
        Resource  = "*"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }
    ]
  })

  lifecycle {
    ignore_changes = [policy]
  }
}

resource "aws_efs_mount_target" "mount_target" {
  count           = var.make_file_system ? var.zone_count : 0
  file_system_id  = aws_efs_file_system.file_system[0].id
  subnet_id       = local.private_subnet_ids[count.index]
  security_groups = [aws_security_group.file_system_group[0].id]
}
