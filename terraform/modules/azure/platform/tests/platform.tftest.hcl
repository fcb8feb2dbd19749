mock_provider "azurerm" {
  # Ids are checked where they go in, so the mocks answer with real ones.
  mock_resource "azurerm_virtual_network" {
    override_during = plan

    defaults = { id = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net" }
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
  name                  = "slipway-test"
  location              = "westeurope"
  tenant_id             = "11111111-1111-4111-8111-111111111111"
  deployer_principal_id = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
  admin_group_ids       = ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]
}

run "inside_the_network_only" {
  command = plan

  assert {
    condition     = output.gateway_url == null && output.name_servers == null && nonsensitive(output.redis_url == null)
    error_message = "Nothing that was not asked for may be made."
  }

  assert {
    condition     = length(module.slipway) == 1 && output.gateway_internal_url == "http://slipway-gateway.slipway-system.svc.cluster.local"
    error_message = "The chart must be installed."
  }

  assert {
    condition     = yamldecode(output.gateway_values).gateway.service.annotations["service.beta.kubernetes.io/azure-load-balancer-internal"] == "true"
    error_message = "The gateway's load balancer must be internal."
  }
}

run "with_a_name" {
  command = plan

  variables {
    domain   = "example.com"
    hostname = "agents.example.com"
  }

  assert {
    condition     = output.gateway_url == "https://agents.example.com" && length(module.front_door) == 1 && length(module.dns) == 1
    error_message = "A hostname must be served by Front Door, in a zone made here."
  }
}

run "a_pipeline_installs_the_chart" {
  command = plan

  variables {
    install_slipway = false
  }

  assert {
    condition     = length(module.slipway) == 0 && output.gateway_internal_url == null
    error_message = "The chart must be left to the pipeline."
  }

  assert {
    condition     = yamldecode(output.gateway_values).gateway.service.type == "LoadBalancer"
    error_message = "The pipeline needs the gateway's values."
  }
}

run "hostname_without_a_zone" {
  command = plan

  variables {
    hostname = "agents.example.com"
  }

  expect_failures = [var.hostname]
}

run "name_too_long_for_the_vault" {
  command = plan

  variables {
    name = "slipway-production-eu1"
  }

  expect_failures = [var.name]
}

run "open_to_everybody" {
  command = plan

  variables {
    access_ranges = ["0.0.0.0/0"]
  }

  expect_failures = [var.access_ranges]
}

run "region_without_zones" {
  command = plan

  variables {
    location = "westus"
  }

  expect_failures = [var.location]
}

run "logs_kept_for_a_day" {
  command = plan

  variables {
    log_retention_days = 1
  }

  expect_failures = [var.log_retention_days]
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    location = "atlantiswest"
  }

  expect_failures = [var.location]
}

run "region_newer_than_the_list" {
  command = plan

  variables {
    location     = "atlantiswest"
    region_check = false
  }
}
