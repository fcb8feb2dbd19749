output "dsn" {
  description = "Connection string of the master user, for database_dsn of modules/slipway."
  value       = "postgresql://${aws_db_instance.this.username}:${random_password.master.result}@${aws_db_instance.this.address}:${local.port}/${aws_db_instance.this.db_name}?sslmode=${var.sslmode}"
  sensitive   = true
}

output "address" {
  description = "Hostname of the server, resolved inside the VPC."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Port of the server."
  value       = local.port
}

output "arn" {
  description = "ARN of the instance, for alarms and backup plans."
  value       = aws_db_instance.this.arn
}
