output "project_id" {
  description = "Id of the project."
  value       = mongodbatlas_project.this.id
}

output "url" {
  description = "Connection string with user and password, over TLS; known once the index is asked for."
  value       = replace(mongodbatlas_advanced_cluster.this.connection_strings[0].standard_srv, "mongodb+srv://", "mongodb+srv://slipway:${random_password.user.result}@")
  sensitive   = true
  depends_on  = [mongodbatlas_project_ip_access_list.this, mongodbatlas_search_index.vectors]
}

output "index_name" {
  description = "Name of the vector search index."
  value       = mongodbatlas_search_index.vectors.name
}

output "connection" {
  description = "What a VectorIndex's connectionRef reads, in JSON: put it into a Secret of the index's namespace."
  value = jsonencode({
    uri      = replace(mongodbatlas_advanced_cluster.this.connection_strings[0].standard_srv, "mongodb+srv://", "mongodb+srv://slipway:${random_password.user.result}@")
    database = var.database
  })
  sensitive  = true
  depends_on = [mongodbatlas_project_ip_access_list.this]
}
