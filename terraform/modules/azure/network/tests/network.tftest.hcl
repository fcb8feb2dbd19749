mock_provider "azurerm" {}

variables {
  name                = "slipway-test"
  location            = "westeurope"
  resource_group_name = "slipway-test"
}

run "nothing_is_open" {
  command = plan

  assert {
    condition     = alltrue([for subnet in azurerm_subnet.this : subnet.default_outbound_access_enabled == false])
    error_message = "No subnet may reach the internet but through the NAT gateway."
  }

  assert {
    condition     = length(azurerm_subnet_network_security_group_association.this) == length(azurerm_subnet.this)
    error_message = "Every subnet must have a security group."
  }

  assert {
    condition     = sort(keys(azurerm_subnet_nat_gateway_association.this)) == tolist(["apps", "nodes"])
    error_message = "Nodes and Container Apps, and nobody else, must have a way out."
  }

  assert {
    condition     = azurerm_subnet.this["postgres"].delegation[0].service_delegation[0].name == "Microsoft.DBforPostgreSQL/flexibleServers"
    error_message = "The database's subnet must be delegated to it."
  }
}

run "subnets_follow_the_range" {
  command = plan

  variables {
    cidr = "10.64.0.0/20"
  }

  assert {
    condition     = azurerm_subnet.this["nodes"].address_prefixes[0] == "10.64.0.0/24"
    error_message = "A /20 must give nodes a /24."
  }

  assert {
    condition     = azurerm_subnet.this["apps"].address_prefixes[0] == "10.64.1.32/27"
    error_message = "A /20 must give Container Apps the /27 that they need."
  }
}

run "region_by_its_long_name" {
  command = plan

  variables {
    location = "West Europe"
  }

  expect_failures = [var.location]
}

run "range_too_small" {
  command = plan

  variables {
    cidr = "10.0.0.0/24"
  }

  expect_failures = [var.cidr]
}

run "range_of_the_pods" {
  command = plan

  variables {
    cidr = "192.168.0.0/16"
  }

  expect_failures = [var.cidr]
}

run "name_too_long" {
  command = plan

  variables {
    name = "slipway-with-a-name-that-no-one-would-ever-read"
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

run "region_without_zones" {
  command = plan

  variables {
    location = "westus"
  }

  expect_failures = [var.location]
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    location = "atlantiswest"
  }

  expect_failures = [var.location]
}
