output "url" {
  description = "rediss:// URL with the password, of the node that takes writes."
  value       = "rediss://:${random_password.auth.result}@${aws_elasticache_replication_group.this.primary_endpoint_address}:${local.port}/0"
  sensitive   = true
}

output "address" {
  description = "Hostname of the node that takes writes; it stays the same when a replica takes over."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}
