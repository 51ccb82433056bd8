# Who reaches whom. Nobody reaches anything from outside.

resource "aws_security_group" "manager_group" {
  name_prefix = "${var.name}-manager-"
  description = "Fargate Runner: the manager host. Nothing comes in."
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-manager" }
}

resource "aws_security_group" "task_group" {
  name_prefix = "${var.name}-task-"
  description = "Fargate Runner: tasks. Only the manager host comes in."
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-task" }
}

resource "aws_security_group" "file_system_group" {
  count       = var.make_file_system ? 1 : 0
  name_prefix = "${var.name}-efs-"
  description = "Fargate Runner: mount targets of EFS. Only tasks come in."
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-efs" }
}

resource "aws_vpc_security_group_egress_rule" "manager_https" {
  security_group_id = aws_security_group.manager_group.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
  description       = "AWS, GitLab, packages"
}

resource "aws_vpc_security_group_egress_rule" "manager_http" {
  security_group_id = aws_security_group.manager_group.id
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
  description       = "signed packages of Ubuntu"
}

resource "aws_vpc_security_group_egress_rule" "task_https" {
  security_group_id = aws_security_group.task_group.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
  description       = "registry, AWS, GitLab"
}

resource "aws_vpc_security_group_egress_rule" "task_http" {
  count             = var.allow_http ? 1 : 0
  security_group_id = aws_security_group.task_group.id
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
  description       = "packages"
}

resource "aws_vpc_security_group_egress_rule" "task_https_ipv6" {
  count             = local.ipv6 ? 1 : 0
  security_group_id = aws_security_group.task_group.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv6         = "::/0"
  description       = "registry, AWS, GitLab"
}

resource "aws_vpc_security_group_ingress_rule" "task_from_manager" {
  security_group_id            = aws_security_group.task_group.id
  referenced_security_group_id = aws_security_group.manager_group.id
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
  description                  = "the driver logs in"
}

resource "aws_vpc_security_group_egress_rule" "manager_to_task" {
  security_group_id            = aws_security_group.manager_group.id
  referenced_security_group_id = aws_security_group.task_group.id
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
  description                  = "the driver logs in"
}

resource "aws_vpc_security_group_egress_rule" "task_to_file_system" {
  count                        = var.make_file_system ? 1 : 0
  security_group_id            = aws_security_group.task_group.id
  referenced_security_group_id = aws_security_group.file_system_group[0].id
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  description                  = "NFS"
}

resource "aws_vpc_security_group_ingress_rule" "file_system_from_task" {
  count                        = var.make_file_system ? 1 : 0
  security_group_id            = aws_security_group.file_system_group[0].id
  referenced_security_group_id = aws_security_group.task_group.id
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  description                  = "NFS"
}
