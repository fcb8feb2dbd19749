mock_provider "azurerm" {}

variables {
  name                = "slipwaytest"
  location            = "westeurope"
  resource_group_name = "slipway-test"
  subnet_id           = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/endpoints"
  private_dns_zone_id = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.azurecr.io"
}

run "private_and_without_passwords" {
  command = plan

  variables {
    pull_principal_ids = { cluster = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa" }
    push_principal_ids = { pipeline = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb" }
  }

  assert {
    condition     = !azurerm_container_registry.this.admin_enabled && !azurerm_container_registry.this.anonymous_pull_enabled
    error_message = "Nobody may pull with a password, or without a name."
  }

  assert {
    condition     = !azurerm_container_registry.this.public_network_access_enabled
    error_message = "Without push ranges the registry must be private."
  }

  assert {
    condition     = azurerm_role_assignment.this["pull-cluster"].role_definition_name == "AcrPull" && azurerm_role_assignment.this["push-pipeline"].role_definition_name == "AcrPush"
    error_message = "Nodes must only pull, and pipelines push."
  }
}

run "opened_to_one_range" {
  command = plan

  variables {
    push_ranges = ["203.0.113.0/28"]
  }

  assert {
    condition     = azurerm_container_registry.this.network_rule_set[0].default_action == "Deny" && one(azurerm_container_registry.this.network_rule_set[0].ip_rule).ip_range == "203.0.113.0/28"
    error_message = "Nobody but the range may reach the registry."
  }
}

run "open_to_everybody" {
  command = plan

  variables {
    push_ranges = ["0.0.0.0/0"]
  }

  expect_failures = [var.push_ranges]
}

run "capitals_in_the_name" {
  command = plan

  variables {
    name = "SlipwayTest"
  }

  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan

  variables {
    name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }

  expect_failures = [var.name]
}

run "missing_network" {
  command = plan

  variables {
    subnet_id = ""
  }

  expect_failures = [var.subnet_id]
}

run "zone_of_another_service" {
  command = plan

  variables {
    private_dns_zone_id = "/privateDnsZones/privatelink.redis.azure.net"
  }

  expect_failures = [var.private_dns_zone_id]
}

run "resource_group_with_a_slash" {
  command = plan

  variables {
    resource_group_name = "a/b"
  }

  expect_failures = [var.resource_group_name]
}

run "region_without_zones" {
  command = plan

  variables {
    location = "westus"
  }

  expect_failures = [var.location]
}

run "retention_too_long" {
  command = plan

  variables {
    untagged_retention_days = 366
  }

  expect_failures = [var.untagged_retention_days]
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    location = "atlantiswest"
  }

  expect_failures = [var.location]
}
