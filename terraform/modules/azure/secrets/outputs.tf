output "id" {
  description = "Id of the vault."
  value       = azurerm_key_vault.this.id
}

output "name" {
  description = "Name of the vault, for a SecretProviderClass."
  value       = azurerm_key_vault.this.name
}

output "uri" {
  description = "Address of the vault."
  value       = azurerm_key_vault.this.vault_uri
}

output "secret_ids" {
  description = "Ids without version of the secrets, by name: what Container Apps and Kubernetes follow when a secret changes."
  value       = { for name, secret in azurerm_key_vault_secret.this : name => secret.versionless_id }
}
