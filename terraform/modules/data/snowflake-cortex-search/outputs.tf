output "service" {
  description = "Full name of the service, for queries: DATABASE.SCHEMA.SERVICE."
  value       = "${snowflake_database.this.name}.${snowflake_schema.this.name}.${snowflake_cortex_search_service.this.name}"
}

output "table" {
  description = "Full name of the table that chunks are written to."
  value       = "${snowflake_database.this.name}.${snowflake_schema.this.name}.${snowflake_table.chunks.name}"
}

output "role" {
  description = "Role that may ask the service; grant it to the user of the agents."
  value       = snowflake_account_role.asker.name
}

output "connection" {
  description = "What a VectorIndex's connectionRef reads, in JSON, without the credentials: add account, user, and privateKey or token."
  value = jsonencode({
    database       = snowflake_database.this.name
    schema         = snowflake_schema.this.name
    warehouse      = snowflake_warehouse.this.name
    role           = snowflake_account_role.writer.name
    embeddingModel = var.embedding_model
    targetLag      = var.target_lag
  })
}
