# The outputs: those of ../cloudformation/fargate-runner.yaml. An absent one is null.

output "outputs_version" {
  description = "Which outputs there are"
  value       = "1"
}
output "region" { value = local.region }
output "vpc_id" { value = local.vpc_id }
output "private_subnet_ids" {
  description = "Subnets of tasks"
  value       = local.private_subnet_ids
}
output "egress_addresses" {
  description = "The addresses that tasks leave by, to allow-list elsewhere"
  value       = aws_eip.nat_address[*].public_ip
}
output "task_security_group_id" { value = aws_security_group.task_group.id }
output "manager_security_group_id" { value = aws_security_group.manager_group.id }
output "file_system_security_group_id" { value = one(aws_security_group.file_system_group[*].id) }
output "cluster_name" { value = aws_ecs_cluster.cluster.name }
output "task_definition_family" { value = var.task_definition_family }
output "job_image" { value = var.job_image }
output "architecture" { value = var.architecture }
output "concurrency" { value = var.concurrency }
output "log_group_name" { value = aws_cloudwatch_log_group.log_group.name }
output "registry_secret_arn" { value = one(aws_secretsmanager_secret.registry_secret[*].arn) }
output "file_system_id" { value = one(aws_efs_file_system.file_system[*].id) }
output "execution_role_arn" { value = aws_iam_role.execution_role.arn }
output "task_role_arn" { value = aws_iam_role.task_role.arn }
output "manager_role_arn" { value = aws_iam_role.manager_role.arn }
output "manager_policy_arn" {
  description = "For a manager host of your own"
  value       = aws_iam_policy.manager_policy.arn
}
output "image_builder_role_arn" { value = one(aws_iam_role.image_builder_role[*].arn) }
output "infrastructure_role_arn" { value = one(aws_iam_role.infrastructure_role[*].arn) }
output "manager_instance_id" { value = one(aws_instance.manager[*].id) }
