output "host" {
  description = "Name of the cluster in DNS, as the primary region sees it; its port is 26257."
  value       = cockroach_cluster.this.regions[0].sql_dns
}

output "dsn" {
  description = "Connection string, over TLS; known once the database can be reached."
  value       = "postgresql://${cockroach_sql_user.this.name}:${random_password.user.result}@${cockroach_cluster.this.regions[0].sql_dns}:26257/${cockroach_database.this.name}?sslmode=require"
  sensitive   = true
  depends_on  = [cockroach_allow_list.this]
}
