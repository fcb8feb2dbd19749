output "id" {
  description = "Id of the registry."
  value       = azurerm_container_registry.this.id
}

output "login_server" {
  description = "Host of the registry, for `az acr login` and `docker push`."
  value       = azurerm_container_registry.this.login_server
}

output "image_registry" {
  description = "What modules/slipway takes as image_registry; known once pods can pull."
  value       = "${azurerm_container_registry.this.login_server}/slipway"
  depends_on  = [azurerm_private_endpoint.this, azurerm_role_assignment.this]
}
