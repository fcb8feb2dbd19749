mock_provider "azurerm" {}
mock_provider "random" {}

variables {
  name                = "slipway-test"
  location            = "westeurope"
  resource_group_name = "slipway-test"
  network = {
    subnet_id          = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/postgres"
    virtual_network_id = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net"
  }
}

run "private_with_pgvector_and_kept" {
  command = plan

  assert {
    condition     = !azurerm_postgresql_flexible_server.this.public_network_access_enabled && azurerm_postgresql_flexible_server.this.delegated_subnet_id == var.network.subnet_id
    error_message = "The server must be in the network."
  }

  assert {
    condition     = azurerm_postgresql_flexible_server_configuration.this["azure.extensions"].value == "VECTOR"
    error_message = "pgvector must be allowed."
  }

  assert {
    condition     = azurerm_postgresql_flexible_server_configuration.this["require_secure_transport"].value == "on"
    error_message = "Connections without TLS must be refused."
  }

  assert {
    condition     = azurerm_postgresql_flexible_server_configuration.this["log_statement"].value == "none" && azurerm_postgresql_flexible_server_configuration.this["log_min_error_statement"].value == "panic"
    error_message = "Statements with passwords must not be logged."
  }

  assert {
    condition     = azurerm_management_lock.this[0].lock_level == "CanNotDelete"
    error_message = "The server must be locked against deletion."
  }

  assert {
    condition     = azurerm_postgresql_flexible_server.this.geo_redundant_backup_enabled && azurerm_postgresql_flexible_server.this.backup_retention_days == 14
    error_message = "Backups must be kept for two weeks, in another region too."
  }
}

run "public_where_it_was_said" {
  command = plan

  variables {
    network       = null
    allow_public  = true
    public_ranges = { office = { start = "203.0.113.1", end = "203.0.113.9" } }
  }

  assert {
    condition     = azurerm_postgresql_flexible_server.this.public_network_access_enabled && length(azurerm_private_dns_zone.this) == 0
    error_message = "A server that is allowed to be public must be."
  }

  assert {
    condition     = azurerm_postgresql_flexible_server_firewall_rule.this["office"].end_ip_address == "203.0.113.9"
    error_message = "Nobody but the ranges may reach it."
  }
}

run "missing_network" {
  command = plan

  variables {
    network = null
  }

  expect_failures = [var.network]
}

run "public_and_private" {
  command = plan

  variables {
    allow_public = true
  }

  expect_failures = [var.network]
}

run "public_ranges_without_saying_so" {
  command = plan

  variables {
    public_ranges = { office = { start = "203.0.113.1", end = "203.0.113.9" } }
  }

  expect_failures = [var.public_ranges]
}

run "all_of_azure" {
  command = plan

  variables {
    network       = null
    allow_public  = true
    public_ranges = { azure = { start = "0.0.0.0", end = "0.0.0.0" } }
  }

  expect_failures = [var.public_ranges]
}

run "burstable_with_standby" {
  command = plan

  variables {
    sku_name          = "B_Standard_B2s"
    high_availability = true
  }

  expect_failures = [var.high_availability]
}

run "disk_of_a_size_that_is_none" {
  command = plan

  variables {
    storage_mb = 50000
  }

  expect_failures = [var.storage_mb]
}

run "backups_too_short" {
  command = plan

  variables {
    backup_retention_days = 1
  }

  expect_failures = [var.backup_retention_days]
}

run "region_without_zones" {
  command = plan

  variables {
    location = "westus"
  }

  expect_failures = [var.location]
}

run "name_too_long" {
  command = plan

  variables {
    name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }

  expect_failures = [var.name]
}

run "resource_group_with_a_slash" {
  command = plan

  variables {
    resource_group_name = "a/b"
  }

  expect_failures = [var.resource_group_name]
}

run "size_without_its_class" {
  command = plan

  variables {
    sku_name = "Standard_D2ds_v5"
  }

  expect_failures = [var.sku_name]
}

run "database_of_azures_own" {
  command = plan

  variables {
    database = "azure_sys"
  }

  expect_failures = [var.database]
}

run "version_without_support" {
  command = plan

  variables {
    postgres_version = "12"
  }

  expect_failures = [var.postgres_version]
}

# Osaka has zones and PostgreSQL, but no standby in another zone.
run "region_without_a_standby" {
  command = plan

  variables {
    location          = "japanwest"
    sku_name          = "GP_Standard_D2ds_v5"
    high_availability = true
  }

  expect_failures = [var.location]
}

run "a_region_without_a_standby_needs_none" {
  command = plan

  variables {
    location          = "japanwest"
    high_availability = false
  }
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    location = "atlantiswest"
  }

  expect_failures = [var.location]
}
