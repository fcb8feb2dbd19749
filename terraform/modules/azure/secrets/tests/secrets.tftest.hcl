mock_provider "azurerm" {}

variables {
  name                 = "slipway-test"
  location             = "westeurope"
  resource_group_name  = "slipway-test"
  tenant_id            = "11111111-1111-4111-8111-111111111111"
  subnet_id            = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/endpoints"
  private_dns_zone_id  = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net"
  writer_principal_ids = { terraform = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb" }
}

run "private_and_kept" {
  command = plan

  variables {
    secrets              = { database-dsn = "postgresql://example" }
    reader_principal_ids = { cluster = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa" }
  }

  assert {
    condition     = !azurerm_key_vault.this.public_network_access_enabled && azurerm_key_vault.this.network_acls[0].default_action == "Deny"
    error_message = "Without access ranges the vault must be private."
  }

  assert {
    condition     = azurerm_key_vault.this.rbac_authorization_enabled && azurerm_key_vault.this.purge_protection_enabled
    error_message = "Rights must be roles, and nobody may purge."
  }

  assert {
    condition     = azurerm_role_assignment.readers["cluster"].role_definition_name == "Key Vault Secrets User"
    error_message = "Readers must only read."
  }

  assert {
    condition     = keys(azurerm_key_vault_secret.this) == ["database-dsn"]
    error_message = "The secret must be written."
  }
}

run "name_too_long" {
  command = plan

  variables {
    name = "slipway-production-europe"
  }

  expect_failures = [var.name]
}

run "underscore_in_a_secrets_name" {
  command = plan

  variables {
    secrets = { database_dsn = "x" }
  }

  expect_failures = [var.secrets]
}

run "nobody_writes" {
  command = plan

  variables {
    writer_principal_ids = {}
  }

  expect_failures = [var.writer_principal_ids]
}

run "open_to_everybody" {
  command = plan

  variables {
    access_ranges = ["0.0.0.0/0"]
  }

  expect_failures = [var.access_ranges]
}

run "missing_network" {
  command = plan

  variables {
    subnet_id = ""
  }

  expect_failures = [var.subnet_id]
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

run "zone_of_another_service" {
  command = plan

  variables {
    private_dns_zone_id = "/privateDnsZones/privatelink.example.com"
  }

  expect_failures = [var.private_dns_zone_id]
}

run "tenant_by_name" {
  command = plan

  variables {
    tenant_id = "example.com"
  }

  expect_failures = [var.tenant_id]
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    location = "atlantiswest"
  }

  expect_failures = [var.location]
}
