# The manager host. Without it, its role serves a host of yours.

locals {
  # What `fargate-runner config import-stack` reads. An empty value stands for an output that there is not.
  import_outputs = {
    OutputsVersion            = "1"
    Region                    = local.region
    ClusterName               = aws_ecs_cluster.cluster.name
    PrivateSubnetIds          = join(",", local.private_subnet_ids)
    TaskSecurityGroupId       = aws_security_group.task_group.id
    TaskDefinitionFamily      = var.task_definition_family
    JobImage                  = var.job_image
    Architecture              = var.architecture
    Concurrency               = tostring(var.concurrency)
    ExecutionRoleArn          = aws_iam_role.execution_role.arn
    TaskRoleArn               = aws_iam_role.task_role.arn
    LogGroupName              = aws_cloudwatch_log_group.log_group.name
    RegistrySecretArn         = one(aws_secretsmanager_secret.registry_secret[*].arn)
    FileSystemId              = one(aws_efs_file_system.file_system[*].id)
    FileSystemSecurityGroupId = one(aws_security_group.file_system_group[*].id)
    EgressAddresses           = join(",", aws_eip.nat_address[*].public_ip)
  }
}

resource "aws_ssm_parameter" "outputs_parameter" {
  name        = "/${var.name}/outputs"
  type        = "String"
  description = "What fargate-runner config import-stack reads"
  value       = jsonencode(local.import_outputs)
}

resource "aws_iam_instance_profile" "manager_profile" {
  name_prefix = "${var.name}-manager-"
  role        = aws_iam_role.manager_role.name
}

data "aws_ssm_parameter" "manager_image" {
  count = var.make_manager ? 1 : 0
  name  = var.manager_image
}

resource "aws_launch_template" "manager_template" {
  count         = var.make_manager ? 1 : 0
  name_prefix   = "${var.name}-manager-"
  image_id      = data.aws_ssm_parameter.manager_image[0].insecure_value
  instance_type = var.manager_instance_type

  iam_instance_profile {
    arn = aws_iam_instance_profile.manager_profile.arn
  }

  # Only IMDSv2, and only for programs of the host itself.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  network_interfaces {
    device_index                = 0
    associate_public_ip_address = false
    security_groups             = [aws_security_group.manager_group.id]
    subnet_id                   = local.private_subnet_ids[0]
  }

  block_device_mappings {
    device_name = "/dev/sda1"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.manager_volume_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name}-manager" }
  }

  tag_specifications {
    resource_type = "volume"
    tags          = { Name = "${var.name}-manager" }
  }

  user_data = base64encode(join("", [
    <<-HEADER
      #!/bin/sh
      REGION="${local.region}"
      OUTPUTS_PARAMETER="/${var.name}/outputs"
      PACKAGE_BUCKET="${var.package_bucket}"
      PACKAGE_KEY="${var.package_key}"
      PACKAGE_SHA256="${var.package_sha256}"
      GITLAB_URL="${var.gitlab_url}"
      RUNNER_TOKEN_PARAMETER="${var.runner_token_parameter}"
      CONCURRENT="${var.concurrency}"
    HEADER
    ,
    file("${path.module}/../manager/bootstrap.sh"),
  ]))

  lifecycle {
    precondition {
      condition     = var.package_bucket != "" && var.package_key != "" && var.package_sha256 != ""
      error_message = "The manager host needs package_bucket, package_key and package_sha256; or set make_manager to false."
    }
  }
}

resource "aws_instance" "manager" {
  count = var.make_manager ? 1 : 0

  launch_template {
    id      = aws_launch_template.manager_template[0].id
    version = aws_launch_template.manager_template[0].latest_version
  }

  # What it needs at its first start.
  depends_on = [
    aws_ssm_parameter.outputs_parameter,
    aws_route.private_default_route,
    aws_route_table_association.private_subnet_routes,
    aws_vpc_security_group_egress_rule.manager_https,
    aws_vpc_security_group_egress_rule.manager_http,
    aws_vpc_security_group_egress_rule.manager_to_task,
    aws_iam_role_policy.set_up,
  ]
}
