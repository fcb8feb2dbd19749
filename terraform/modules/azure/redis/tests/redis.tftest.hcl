mock_provider "azurerm" {}

variables {
  name                = "slipway-test"
  location            = "westeurope"
  resource_group_name = "slipway-test"
  subnet_id           = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/endpoints"
  private_dns_zone_id = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.redis.azure.net"
}

run "private_and_over_tls" {
  command = plan

  assert {
    condition     = azurerm_managed_redis.this.public_network_access == "Disabled"
    error_message = "The cache must be private."
  }

  assert {
    condition     = azurerm_managed_redis.this.default_database[0].client_protocol == "Encrypted"
    error_message = "Connections without TLS must be refused."
  }

  assert {
    condition     = azurerm_private_endpoint.this.private_service_connection[0].subresource_names == tolist(["redisEnterprise"])
    error_message = "The private endpoint must lead to the cache."
  }
}

run "size_of_the_older_service" {
  command = plan

  variables {
    sku_name = "Standard"
  }

  expect_failures = [var.sku_name]
}

run "region_without_the_service" {
  command = plan

  variables {
    location = "westus"
  }

  expect_failures = [var.location]
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

run "name_too_long" {
  command = plan

  variables {
    name = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
  }

  expect_failures = [var.name]
}

run "zone_of_another_service" {
  command = plan

  variables {
    private_dns_zone_id = "/privateDnsZones/privatelink.example.com"
  }

  expect_failures = [var.private_dns_zone_id]
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    location = "atlantiswest"
  }

  expect_failures = [var.location]
}
