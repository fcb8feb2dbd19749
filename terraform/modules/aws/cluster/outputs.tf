output "name" {
  description = "The cluster's name."
  value       = aws_eks_cluster.this.name
}

output "endpoint" {
  description = "URL of the API server."
  value       = aws_eks_cluster.this.endpoint
}

output "ca_certificate" {
  description = "PEM text of the authority that signed the API server's certificate; null until the cluster exists."
  value       = try(base64decode(aws_eks_cluster.this.certificate_authority[0].data), null)
}

output "security_group_id" {
  description = "Security group of control plane and nodes, for rules that let pods reach a database; null until the cluster exists."
  value       = try(aws_eks_cluster.this.vpc_config[0].cluster_security_group_id, null)
}

output "workload_role_arns" {
  description = "By name of workload_identities, the role that its pods have."
  value       = { for name, role in aws_iam_role.workload : name => role.arn }
}
