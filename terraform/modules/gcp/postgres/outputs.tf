output "instance_name" {
  description = "The instance's name."
  value       = google_sql_database_instance.this.name
}

output "host" {
  description = "Private address of the database."
  value       = google_sql_database_instance.this.private_ip_address
}

output "database" {
  description = "Name of the database."
  value       = google_sql_database.this.name
}

output "server_ca_certificate" {
  description = "The authority that signed the server's certificate, in PEM: for sslmode verify-ca."
  value       = try(google_sql_database_instance.this.server_ca_cert[0].cert, null)
}

output "dsn" {
  description = "How the operator signs in, for the Secret that the chart's postgres.existingSecret names. Traffic is encrypted."
  value       = "postgresql://${google_sql_user.admin.name}:${random_password.admin.result}@${google_sql_database_instance.this.private_ip_address}:5432/${google_sql_database.this.name}?sslmode=require"
  sensitive   = true
}
