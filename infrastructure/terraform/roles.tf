# Roles: each may do what its work needs, and no more.

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
}

# What ECS does to start a task: pull, read the secret, write the log.
resource "aws_iam_role" "execution_role" {
  name_prefix = "${var.name}-"
  description = "Fargate Runner: what ECS does to start a task"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "start_tasks" {
  name = "start-tasks"
  role = aws_iam_role.execution_role.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/${var.name}/tasks:*"
        },
        {
          Sid      = "LoginOfEcr"
          Effect   = "Allow"
          Action   = "ecr:GetAuthorizationToken"
          Resource = "*"
        },
        {
          Sid      = "PullFromEcr"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
          Resource = "arn:${local.partition}:ecr:${local.region}:${local.account}:repository/*"
        },
      ],
      var.make_registry_secret ? [
        {
          Sid      = "RegistryLogin"
          Effect   = "Allow"
          Action   = "secretsmanager:GetSecretValue"
          Resource = aws_secretsmanager_secret.registry_secret[0].arn
        },
      ] : []
    )
  })
}

# What a script in a task may do in AWS: nothing.
resource "aws_iam_role" "task_role" {
  name_prefix = "${var.name}-"
  description = "Fargate Runner: scripts of jobs. It has no rights on purpose."

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
        }
      },
    ]
  })
}

# What the driver does, on whatever host it runs.
resource "aws_iam_policy" "manager_policy" {
  name_prefix = "${var.name}-"
  description = "Fargate Runner: what the driver calls"

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "StartTasks"
          Effect    = "Allow"
          Action    = "ecs:RunTask"
          Resource  = "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${var.task_definition_family}*:*"
          Condition = {
            ArnEquals = { "ecs:cluster" = aws_ecs_cluster.cluster.arn }
          }
        },
        {
          Sid       = "WatchAndStopTasks"
          Effect    = "Allow"
          Action    = ["ecs:DescribeTasks", "ecs:StopTask"]
          Resource  = "arn:${local.partition}:ecs:${local.region}:${local.account}:task/${var.name}/*"
          Condition = {
            ArnEquals = { "ecs:cluster" = aws_ecs_cluster.cluster.arn }
          }
        },
        {
          Sid       = "FindTasks"
          Effect    = "Allow"
          Action    = "ecs:ListTasks"
          Resource  = "*"
          Condition = {
            ArnEquals = { "ecs:cluster" = aws_ecs_cluster.cluster.arn }
          }
        },
        {
          Sid      = "TaskDefinitions"
          Effect   = "Allow"
          Action   = ["ecs:RegisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:DeregisterTaskDefinition"]
          Resource = "*"
        },
        {
          Sid      = "PruneTaskDefinitions"
          Effect   = "Allow"
          Action   = "ecs:DeleteTaskDefinitions"
          Resource = "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${var.task_definition_family}*:*"
        },
        {
          Sid       = "TagWhatItMakes"
          Effect    = "Allow"
          Action    = "ecs:TagResource"
          Resource  = "*"
          Condition = {
            StringEquals = { "ecs:CreateAction" = ["RunTask", "RegisterTaskDefinition"] }
          }
        },
        {
          Sid       = "TagKeptTasks"
          Effect    = "Allow"
          Action    = "ecs:TagResource"
          Resource  = "arn:${local.partition}:ecs:${local.region}:${local.account}:task/${var.name}/*"
          Condition = {
            StringLike                  = { "aws:ResourceTag/fargate-runner:deadline" = "*" }
            "ForAllValues:StringEquals" = { "aws:TagKeys" = "fargate-runner:deadline" }
          }
        },
        {
          Sid       = "GiveTasksTheirRoles"
          Effect    = "Allow"
          Action    = "iam:PassRole"
          Resource  = [aws_iam_role.execution_role.arn, aws_iam_role.task_role.arn]
          Condition = {
            StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" }
          }
        },
        {
          Sid      = "ReadContainerLogs"
          Effect   = "Allow"
          Action   = "logs:GetLogEvents"
          Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/${var.name}/tasks:log-stream:*"
        },
      ],
      var.make_registry_secret ? [
        {
          Sid      = "RegistryLogin"
          Effect   = "Allow"
          Action   = "secretsmanager:GetSecretValue"
          Resource = aws_secretsmanager_secret.registry_secret[0].arn
        },
      ] : [],
      var.make_file_system ? [
        {
          Sid      = "FindAccessPoints"
          Effect   = "Allow"
          Action   = "elasticfilesystem:DescribeAccessPoints"
          Resource = aws_efs_file_system.file_system[0].arn
        },
      ] : []
    )
  })
}

# What `fargate-runner check` reads. It changes nothing; the driver works without it.
resource "aws_iam_policy" "check_policy" {
  name_prefix = "${var.name}-"
  description = "Fargate Runner: what the command check reads"

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ReadNetworkAndQuotas"
          Effect   = "Allow"
          Action   = [
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeNatGateways",
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcs",
            "ec2:GetManagedPrefixListEntries",
            "logs:DescribeLogGroups",
            "servicequotas:GetAWSDefaultServiceQuota",
            "servicequotas:GetServiceQuota",
          ]
          Resource = "*"
        },
        {
          Sid      = "ReadCluster"
          Effect   = "Allow"
          Action   = "ecs:DescribeClusters"
          Resource = aws_ecs_cluster.cluster.arn
        },
        {
          Sid      = "ReadRoles"
          Effect   = "Allow"
          Action   = [
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:SimulatePrincipalPolicy",
          ]
          Resource = [aws_iam_role.execution_role.arn, aws_iam_role.task_role.arn, aws_iam_role.manager_role.arn]
        },
      ],
      var.make_registry_secret ? [
        {
          Sid      = "ReadSecret"
          Effect   = "Allow"
          Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"]
          Resource = aws_secretsmanager_secret.registry_secret[0].arn
        },
      ] : [],
      var.make_file_system ? [
        {
          Sid      = "ReadFileSystem"
          Effect   = "Allow"
          Action   = [
            "elasticfilesystem:DescribeFileSystemPolicy",
            "elasticfilesystem:DescribeFileSystems",
            "elasticfilesystem:DescribeMountTargetSecurityGroups",
            "elasticfilesystem:DescribeMountTargets",
          ]
          Resource = aws_efs_file_system.file_system[0].arn
        },
      ] : []
    )
  })
}

# The manager host.
resource "aws_iam_role" "manager_role" {
  name_prefix = "${var.name}-"
  description = "Fargate Runner: the manager host"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "ec2.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "session_manager" {
  name = "session-manager"
  role = aws_iam_role.manager_role.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = [
          "ssm:UpdateInstanceInformation",
          "ssmmessages:CreateControlChannel",
          "ssmmessages:CreateDataChannel",
          "ssmmessages:OpenControlChannel",
          "ssmmessages:OpenDataChannel",
        ]
        Resource = "*"
      },
    ]
  })
}

resource "aws_iam_role_policy" "set_up" {
  name = "set-up"
  role = aws_iam_role.manager_role.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ReadParameters"
          Effect   = "Allow"
          Action   = "ssm:GetParameter"
          Resource = concat(
            ["arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${var.name}/outputs"],
            var.runner_token_parameter != "" ? [
              "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${var.runner_token_parameter}",
            ] : []
          )
        },
      ],
      var.package_bucket != "" ? [
        {
          Sid      = "ReadPackage"
          Effect   = "Allow"
          Action   = "s3:GetObject"
          Resource = "arn:${local.partition}:s3:::${var.package_bucket}/${var.package_key}"
        },
      ] : []
    )
  })
}

# `fargate-runner check` reads every policy of the manager's role, the check policy among them. A policy cannot name
# itself, so this is one of its own, and part of the role.
resource "aws_iam_role_policy" "read_own_policies" {
  name = "read-own-policies"
  role = aws_iam_role.manager_role.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadOwnPolicies"
        Effect   = "Allow"
        Action   = ["iam:GetPolicy", "iam:GetPolicyVersion"]
        Resource = [aws_iam_policy.manager_policy.arn, aws_iam_policy.check_policy.arn]
      },
    ]
  })
}

# Builds and pushes images of jobs. It starts no task.
resource "aws_iam_role" "image_builder_role" {
  count       = var.image_builder_principal != "" ? 1 : 0
  name_prefix = "${var.name}-"
  description = "Fargate Runner: builds and pushes images of jobs"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { AWS = var.image_builder_principal }
        Action    = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "push_images" {
  count = var.image_builder_principal != "" ? 1 : 0
  name = "push-images"
  role = aws_iam_role.image_builder_role[0].id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "LoginOfEcr"
          Effect   = "Allow"
          Action   = "ecr:GetAuthorizationToken"
          Resource = "*"
        },
        {
          Sid      = "ImagesInUse"
          Effect   = "Allow"
          Action   = ["ecs:ListTasks", "ecs:DescribeTasks", "ecs:ListTaskDefinitions", "ecs:DescribeTaskDefinition"]
          Resource = "*"
        },
      ],
      var.ecr_repositories != "" ? [
        {
          Sid      = "PushToEcr"
          Effect   = "Allow"
          Action   = [
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchDeleteImage",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImages",
            "ecr:DescribeRepositories",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
          ]
          Resource = "arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${var.ecr_repositories}"
        },
      ] : [],
      var.make_registry_secret ? [
        {
          Sid      = "RegistryLogin"
          Effect   = "Allow"
          Action   = "secretsmanager:GetSecretValue"
          Resource = aws_secretsmanager_secret.registry_secret[0].arn
        },
      ] : []
    )
  })
}

# Fills the secret, makes access points, opens sessions on the manager host. It starts no task.
resource "aws_iam_role" "infrastructure_role" {
  count       = var.infrastructure_principal != "" ? 1 : 0
  name_prefix = "${var.name}-"
  description = "Fargate Runner: fills the secret, makes access points, opens sessions"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { AWS = var.infrastructure_principal }
        Action    = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "look_after" {
  count = var.infrastructure_principal != "" ? 1 : 0
  name = "look-after"
  role = aws_iam_role.infrastructure_role[0].id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ReadOutputs"
          Effect   = "Allow"
          Action   = "ssm:GetParameter"
          Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${var.name}/outputs"
        },
        {
          Sid      = "FindSubnets"
          Effect   = "Allow"
          Action   = "ec2:DescribeSubnets"
          Resource = "*"
        },
      ],
      var.make_registry_secret ? [
        {
          Sid      = "FillSecret"
          Effect   = "Allow"
          Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]
          Resource = aws_secretsmanager_secret.registry_secret[0].arn
        },
      ] : [],
      var.runner_token_parameter != "" ? [
        {
          Sid      = "FillToken"
          Effect   = "Allow"
          Action   = "ssm:PutParameter"
          Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${var.runner_token_parameter}"
        },
      ] : [],
      var.make_file_system ? [
        {
          Sid      = "AccessPoints"
          Effect   = "Allow"
          Action   = [
            "elasticfilesystem:CreateAccessPoint",
            "elasticfilesystem:DescribeAccessPoints",
            "elasticfilesystem:DescribeFileSystemPolicy",
            "elasticfilesystem:DescribeFileSystems",
            "elasticfilesystem:DescribeMountTargetSecurityGroups",
            "elasticfilesystem:DescribeMountTargets",
            "elasticfilesystem:PutFileSystemPolicy",
            "elasticfilesystem:TagResource",
          ]
          Resource = [
            aws_efs_file_system.file_system[0].arn,
            "arn:${local.partition}:elasticfilesystem:${local.region}:${local.account}:access-point/*",
          ]
        },
      ] : [],
      var.make_manager ? [
        {
          Sid      = "OpenSessions"
          Effect   = "Allow"
          Action   = "ssm:StartSession"
          Resource = [
            "arn:${local.partition}:ec2:${local.region}:${local.account}:instance/${aws_instance.manager[0].id}",
            "arn:${local.partition}:ssm:${local.region}::document/AWS-StartInteractiveCommand",
            "arn:${local.partition}:ssm:${local.region}:${local.account}:document/SSM-SessionManagerRunShell",
          ]
        },
      ] : []
    )
  })
}

resource "aws_iam_role_policy_attachment" "manager_policy" {
  role       = aws_iam_role.manager_role.name
  policy_arn = aws_iam_policy.manager_policy.arn
}

resource "aws_iam_role_policy_attachment" "check_policy" {
  role       = aws_iam_role.manager_role.name
  policy_arn = aws_iam_policy.check_policy.arn
}
