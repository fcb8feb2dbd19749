output "host" {
  description = "Name of the cache in DNS; its port is 10000."
  value       = azurerm_managed_redis.this.hostname
}

output "url" {
  description = "rediss://:KEY@HOST:10000/0, known once the network can reach it."
  value       = "rediss://:${urlencode(azurerm_managed_redis.this.default_database[0].primary_access_key)}@${azurerm_managed_redis.this.hostname}:10000/0"
  sensitive   = true
  depends_on  = [azurerm_private_endpoint.this]
}
