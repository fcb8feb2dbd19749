mock_provider "azurerm" {}

variables {
  name                = "slipway-test"
  location            = "westeurope"
  resource_group_name = "slipway-test"
  subnet_id           = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/apps"
  image               = "example.azurecr.io/slipway/standalone:0.1.0"
  manifests           = { "agents.yaml" = "apiVersion: slipway.dev/v1alpha1" }
  api_keys            = [{ name = "alice", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }]
}

run "one_replica_inside_the_network" {
  command = plan

  assert {
    condition     = azurerm_container_app.this.template[0].min_replicas == 1 && azurerm_container_app.this.template[0].max_replicas == 1
    error_message = "There must be one process, always: it holds the sessions."
  }

  assert {
    condition     = azurerm_container_app_environment.this.internal_load_balancer_enabled
    error_message = "Unless asked for, nobody outside the network may reach the app."
  }

  assert {
    condition     = !azurerm_container_app.this.ingress[0].allow_insecure_connections
    error_message = "Callers show keys, so plain HTTP must lead to HTTPS."
  }

  assert {
    condition     = sort([for secret in azurerm_container_app.this.secret : nonsensitive(secret.name)]) == tolist(["api-keys", "manifest-agents-yaml"])
    error_message = "Azure takes no dots in the names of secrets."
  }

  assert {
    condition     = sort([for mount in azurerm_container_app.this.template[0].container[0].volume_mounts : mount.path]) == tolist(["/data", "/keys/keys.json", "/manifests/agents.yaml"])
    error_message = "Files must have the names and folders that the image asks for."
  }
}

run "two_replicas_with_one_store" {
  command = plan

  variables {
    store_dsn      = "postgresql://slipway:secret@postgres/slipway"
    vector_db_type = "pgvector"
    max_replicas   = 2
  }

  assert {
    condition     = azurerm_container_app.this.template[0].max_replicas == 2
    error_message = "What is in the store may be served by several."
  }

  assert {
    condition     = { for each in azurerm_container_app.this.template[0].container[0].env : each.name => coalesce(each.value, each.secret_name) } == { VECTOR_DB_TYPE = "pgvector", SLIPWAY_STORE_DSN = "store-dsn" }
    error_message = "The image must be told the store, by its secret, and where vectors are."
  }
}

run "two_replicas_without_a_store" {
  command = plan
  variables { max_replicas = 2 }
  expect_failures = [var.max_replicas]
}

run "a_back_end_that_nothing_leads_to" {
  command = plan
  variables { vector_db_type = "mongodb" }
  expect_failures = [var.vector_db_type]
}

run "public_for_one_range" {
  command = plan

  variables {
    allow_public  = true
    public_ranges = ["203.0.113.0/28"]
  }

  assert {
    condition     = !azurerm_container_app_environment.this.internal_load_balancer_enabled && one(azurerm_container_app.this.ingress[0].ip_security_restriction).ip_address_range == "203.0.113.0/28"
    error_message = "Nobody but the range may reach the app."
  }
}

run "pulls_by_its_identity" {
  command = plan

  variables {
    registry = { id = "/subscriptions/0/registry", login_server = "example.azurecr.io" }
  }

  assert {
    condition     = azurerm_role_assignment.pull[0].role_definition_name == "AcrPull" && azurerm_container_app.this.registry[0].server == "example.azurecr.io"
    error_message = "The app must pull by its identity."
  }
}

run "public_without_saying_so" {
  command = plan

  variables {
    public_ranges = ["203.0.113.0/28"]
  }

  expect_failures = [var.public_ranges]
}

run "nobody_may_ask" {
  command = plan

  variables {
    api_keys = []
  }

  expect_failures = [var.api_keys]
}

run "no_manifests" {
  command = plan

  variables {
    manifests = {}
  }

  expect_failures = [var.manifests]
}

run "file_in_a_folder" {
  command = plan

  variables {
    manifests = { "folder/agents.yaml" = "" }
  }

  expect_failures = [var.manifests]
}

run "tag_that_moves" {
  command = plan

  variables {
    image = "example.azurecr.io/slipway/standalone:latest"
  }

  expect_failures = [var.image]
}

run "cores_that_azure_does_not_have" {
  command = plan

  variables {
    cpu = 8
  }

  expect_failures = [var.cpu]
}

run "missing_network" {
  command = plan

  variables {
    subnet_id = ""
  }

  expect_failures = [var.subnet_id]
}

run "name_too_long" {
  command = plan

  variables {
    name = "slipway-with-a-name-that-is-too-long"
  }

  expect_failures = [var.name]
}

run "region_without_zones" {
  command = plan

  variables {
    location = "westus"
  }

  expect_failures = [var.location]
}

run "resource_group_with_a_slash" {
  command = plan

  variables {
    resource_group_name = "a/b"
  }

  expect_failures = [var.resource_group_name]
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    location = "atlantiswest"
  }

  expect_failures = [var.location]
}
