output "index_id" {
  description = "The index's id."
  value       = google_vertex_ai_index.this.id
}

output "index_endpoint_id" {
  description = "The endpoint's id."
  value       = google_vertex_ai_index_endpoint.this.id
}

output "deployed_index_id" {
  description = "Id of the index on its endpoint."
  value       = google_vertex_ai_index_endpoint_deployed_index.this.deployed_index_id
}

output "private_address" {
  description = "Address of the endpoint in the VPC; null for a public one."
  value       = one(google_compute_address.this[*].address)
}

output "public_domain" {
  description = "Domain of a public endpoint; empty for a private one."
  value       = google_vertex_ai_index_endpoint.this.public_endpoint_domain_name
}
