output "secret_arns" {
  description = "By name, the ARN of the secret."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "read_policy_arn" {
  description = "Policy that reads these secrets and no other, for workload_identities of aws/cluster."
  value       = aws_iam_policy.read.arn
}
