# A table of chunks, a Cortex Search service over it, and a role that may ask the service and nothing else; besides, a
# role with which Slipway makes a table and a service of its own for each build of an index.

locals {
  name     = upper(var.name)
  database = upper(coalesce(var.database, var.name))
}

resource "snowflake_database" "this" {
  name                        = local.database
  data_retention_time_in_days = var.retention_days
}

resource "snowflake_schema" "this" {
  database            = snowflake_database.this.name
  name                = upper(var.schema)
  with_managed_access = "true"
}

resource "snowflake_warehouse" "this" {
  name                = "${local.name}_INDEXING"
  warehouse_size      = var.warehouse_size
  auto_suspend        = 60
  auto_resume         = "true"
  initially_suspended = true
}

resource "snowflake_table" "chunks" {
  database        = snowflake_database.this.name
  schema          = snowflake_schema.this.name
  name            = "CHUNKS"
  change_tracking = true # the service follows the table by it

  dynamic "column" {
    for_each = { ID = false, TEXT = false, INDEX_NAME = false, SOURCE = false, DOCUMENT = true }

    content {
      name     = column.key
      type     = "VARCHAR(16777216)"
      nullable = column.value
    }
  }
}

resource "snowflake_cortex_search_service" "this" {
  database        = snowflake_database.this.name
  schema          = snowflake_schema.this.name
  name            = local.name
  on              = "TEXT"
  attributes      = ["INDEX_NAME", "SOURCE"]
  warehouse       = snowflake_warehouse.this.name
  target_lag      = var.target_lag
  embedding_model = var.embedding_model
  query           = "SELECT ID, TEXT, INDEX_NAME, SOURCE, DOCUMENT FROM ${snowflake_database.this.name}.${snowflake_schema.this.name}.${snowflake_table.chunks.name}"
}

resource "snowflake_account_role" "asker" {
  name    = "${local.name}_ASKER"
  comment = "Asks the search service ${local.name}."
}

resource "snowflake_grant_privileges_to_account_role" "database" {
  account_role_name = snowflake_account_role.asker.name
  privileges        = ["USAGE"]

  on_account_object {
    object_type = "DATABASE"
    object_name = snowflake_database.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "schema" {
  account_role_name = snowflake_account_role.asker.name
  privileges        = ["USAGE"]

  on_schema {
    schema_name = "\"${snowflake_database.this.name}\".\"${snowflake_schema.this.name}\""
  }
}

resource "snowflake_grant_privileges_to_account_role" "service" {
  account_role_name = snowflake_account_role.asker.name
  privileges        = ["USAGE"]

  on_schema_object {
    object_type = "CORTEX SEARCH SERVICE"
    object_name = "\"${snowflake_database.this.name}\".\"${snowflake_schema.this.name}\".\"${snowflake_cortex_search_service.this.name}\""
  }
}

resource "snowflake_account_role" "writer" {
  name    = "${local.name}_WRITER"
  comment = "Makes and asks the search services of Slipway's indexes."
}

resource "snowflake_grant_privileges_to_account_role" "writer_database" {
  account_role_name = snowflake_account_role.writer.name
  privileges        = ["USAGE"]

  on_account_object {
    object_type = "DATABASE"
    object_name = snowflake_database.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "writer_warehouse" {
  account_role_name = snowflake_account_role.writer.name
  privileges        = ["USAGE"]

  on_account_object {
    object_type = "WAREHOUSE"
    object_name = snowflake_warehouse.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "writer_schema" {
  account_role_name = snowflake_account_role.writer.name
  privileges        = ["USAGE", "CREATE TABLE", "CREATE CORTEX SEARCH SERVICE"]

  on_schema {
    schema_name = "\"${snowflake_database.this.name}\".\"${snowflake_schema.this.name}\""
  }
}
