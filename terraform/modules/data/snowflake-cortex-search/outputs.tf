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
