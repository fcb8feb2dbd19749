output "host" {
  description = "Private address of the instance."
  value       = google_redis_instance.this.host
}

output "port" {
  description = "Port of the instance, with TLS."
  value       = google_redis_instance.this.port
}

output "password" {
  description = "Password that clients send with AUTH."
  value       = google_redis_instance.this.auth_string
  sensitive   = true
}

output "server_ca_certificates" {
  description = "Authorities that sign the server's certificate, in PEM. Clients have to trust all of them: Google changes them in turn."
  value       = [for authority in google_redis_instance.this.server_ca_certs : authority.cert]
}
