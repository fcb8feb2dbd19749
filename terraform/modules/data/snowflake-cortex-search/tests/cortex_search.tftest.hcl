mock_provider "snowflake" {}

run "searches_texts_of_chunks" {
  command = plan

  assert {
    condition     = snowflake_cortex_search_service.this.on == "TEXT" && contains(snowflake_cortex_search_service.this.attributes, "INDEX_NAME")
    error_message = "Texts must be searched, and narrowed by index."
  }

  assert {
    condition     = snowflake_table.chunks.change_tracking
    error_message = "Without change tracking the service would stop refreshing."
  }

  assert {
    condition     = snowflake_cortex_search_service.this.query == "SELECT ID, TEXT, INDEX_NAME, SOURCE, DOCUMENT FROM SLIPWAY.KNOWLEDGE.CHUNKS"
    error_message = "The service must read the table that is made here."
  }

  assert {
    condition     = snowflake_grant_privileges_to_account_role.service.privileges == toset(["USAGE"]) && snowflake_grant_privileges_to_account_role.service.on_schema_object[0].object_type == "CORTEX SEARCH SERVICE"
    error_message = "The role must ask and do nothing else."
  }

  assert {
    condition     = output.service == "SLIPWAY.KNOWLEDGE.SLIPWAY"
    error_message = "The output must be the service's full name."
  }
}

run "named_otherwise" {
  command = plan

  variables {
    name     = "AGENTS_SEARCH"
    database = "AGENTS"
  }

  assert {
    condition     = output.service == "AGENTS.KNOWLEDGE.AGENTS_SEARCH" && output.role == "AGENTS_SEARCH_ASKER"
    error_message = "Every name must follow from the given ones."
  }
}

run "written_in_capitals" {
  command = plan

  variables {
    name = "agents"
  }

  assert {
    condition     = output.service == "AGENTS.KNOWLEDGE.AGENTS"
    error_message = "Names must need no quotes."
  }
}

run "name_with_a_hyphen" {
  command = plan

  variables {
    name = "slip-way"
  }

  expect_failures = [var.name]
}

run "lag_without_unit" {
  command = plan

  variables {
    target_lag = "60"
  }

  expect_failures = [var.target_lag]
}

run "warehouse_too_large" {
  command = plan

  variables {
    warehouse_size = "X4LARGE"
  }

  expect_failures = [var.warehouse_size]
}

run "model_of_somebody_else" {
  command = plan

  variables {
    embedding_model = "all-MiniLM-L6-v2"
  }

  expect_failures = [var.embedding_model]
}

run "retention_too_long" {
  command = plan

  variables {
    retention_days = 365
  }

  expect_failures = [var.retention_days]
}

run "database_with_a_dot" {
  command = plan

  variables {
    database = "a.b"
  }

  expect_failures = [var.database]
}

run "schema_with_a_dot" {
  command = plan

  variables {
    schema = "a.b"
  }

  expect_failures = [var.schema]
}
