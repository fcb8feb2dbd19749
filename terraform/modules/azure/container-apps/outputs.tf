output "url" {
  description = "Where the app is reached: in the internet with allow_public, else in the virtual network."
  value       = "https://${azurerm_container_app.this.ingress[0].fqdn}"
}

output "static_address" {
  description = "IPv4 address of the environment, for a private DNS zone of its default_domain."
  value       = azurerm_container_app_environment.this.static_ip_address
}

output "default_domain" {
  description = "Domain of the environment. A network that is to resolve a private app needs a private DNS zone of it, with * leading to static_address."
  value       = azurerm_container_app_environment.this.default_domain
}

output "principal_id" {
  description = "Principal of the app."
  value       = azurerm_user_assigned_identity.this.principal_id
}
