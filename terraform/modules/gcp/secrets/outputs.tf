output "secret_ids" {
  description = "The ids in Secret Manager, by the names in secrets."
  value       = { for name, secret in google_secret_manager_secret.this : name => secret.secret_id }
}

output "versions" {
  description = "Numbers of the newest versions, by the names in secrets. They change with what is in the secret."
  value       = { for name, version in google_secret_manager_secret_version.this : name => version.version }
}
