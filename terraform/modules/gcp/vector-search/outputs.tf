output "connection" {
  description = "What a VectorIndex's connectionRef reads, in JSON: put it into a Secret of the index's namespace. Credentials are those of the pod (Workload Identity)."
  value       = jsonencode({ project = var.project_id, location = var.region })
  depends_on  = [google_project_service.needed]
}

output "index_id" {
  description = "The 1.0 index's id; null without one."
  value       = one(google_vertex_ai_index.this[*].id)
}

output "index_endpoint_id" {
  description = "The endpoint's id; null without a 1.0 index."
  value       = one(google_vertex_ai_index_endpoint.this[*].id)
}

output "deployed_index_id" {
  description = "Id of the 1.0 index on its endpoint; null without one."
  value       = one(google_vertex_ai_index_endpoint_deployed_index.this[*].deployed_index_id)
}

output "private_address" {
  description = "Address of the endpoint in the VPC; null for a public one, or without a 1.0 index."
  value       = one(google_compute_address.this[*].address)
}

output "public_domain" {
  description = "Domain of a public endpoint; empty for a private one, null without a 1.0 index."
  value       = one(google_vertex_ai_index_endpoint.this[*].public_endpoint_domain_name)
}
