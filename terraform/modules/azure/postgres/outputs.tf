output "host" {
  description = "Name of the server in DNS."
  value       = azurerm_postgresql_flexible_server.this.fqdn
}

output "database" {
  description = "Name of the database."
  value       = azurerm_postgresql_flexible_server_database.this.name
}

output "dsn" {
  description = "What modules/slipway takes as database_dsn: the administrator, who may create roles and schemas, over TLS."
  value       = "postgresql://slipway:${random_password.administrator.result}@${azurerm_postgresql_flexible_server.this.fqdn}:5432/${azurerm_postgresql_flexible_server_database.this.name}?sslmode=require"
  sensitive   = true
  depends_on  = [azurerm_postgresql_flexible_server_configuration.this]
}
