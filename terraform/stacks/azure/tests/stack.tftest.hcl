mock_provider "azurerm" {
  # Ids are checked where they go in, so the mocks answer with real ones.
  mock_resource "azurerm_virtual_network" {
    override_during = plan

    defaults = { id = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net" }
  }

  mock_data "azurerm_client_config" {
    defaults = { tenant_id = "11111111-1111-4111-8111-111111111111", object_id = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb" }
  }

  mock_resource "azurerm_subnet" {
    override_during = plan

    defaults = { id = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/one" }
  }
}
mock_provider "helm" {}
mock_provider "kubernetes" {}
mock_provider "random" {}

variables {
  environment     = "prod"
  subscription_id = "33333333-3333-4333-8333-333333333333"
  location        = "westeurope"
  admin_group_ids = ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]
}

run "one_installation" {
  command = plan

  variables {
    domain   = "example.com"
    hostname = "agents.example.com"
  }

  assert {
    condition     = output.resource_group_name == "slipway-prod" && output.gateway_url == "https://agents.example.com"
    error_message = "The stack must pass on what it was given."
  }
}

run "an_environment_that_is_none" {
  command = plan

  variables {
    environment = "production"
  }

  expect_failures = [var.environment]
}

run "production_without_protection" {
  command = plan

  variables {
    deletion_protection = false
  }

  expect_failures = [var.deletion_protection]
}

run "subscription_by_name" {
  command = plan

  variables {
    subscription_id = "production"
  }

  expect_failures = [var.subscription_id]
}
