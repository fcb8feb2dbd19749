mock_provider "azurerm" {}

variables {
  name                    = "slipway-test"
  resource_group_name     = "slipway-test"
  hostname                = "agents.example.com"
  zone_id                 = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/dnsZones/example.com"
  zone_name               = "example.com"
  private_link_location   = "westeurope"
  private_link_service_id = "/subscriptions/0/resourceGroups/nodes/providers/Microsoft.Network/privateLinkServices/gateway"
}

run "tls_firewall_and_private_link" {
  command = plan

  assert {
    condition     = azurerm_cdn_frontdoor_origin.gateway.private_link[0].private_link_target_id == var.private_link_service_id
    error_message = "The gateway must be reached by Private Link."
  }

  assert {
    condition     = azurerm_cdn_frontdoor_origin_group.gateway.health_probe[0].path == "/readyz"
    error_message = "The health check must ask what the gateway answers."
  }

  assert {
    condition     = azurerm_cdn_frontdoor_route.this.https_redirect_enabled && !azurerm_cdn_frontdoor_route.this.link_to_default_domain && length(azurerm_cdn_frontdoor_route.this.cache) == 0
    error_message = "HTTP must lead to HTTPS, the default domain nowhere, and answers must not be cached."
  }

  assert {
    condition     = azurerm_cdn_frontdoor_custom_domain.this.tls[0].minimum_tls_version == "TLS12"
    error_message = "TLS below 1.2 must be refused."
  }

  assert {
    condition     = azurerm_cdn_frontdoor_firewall_policy.this.mode == "Prevention" && length(azurerm_cdn_frontdoor_firewall_policy.this.managed_rule) == 2
    error_message = "The firewall must block what its rules find."
  }

  assert {
    condition     = azurerm_dns_cname_record.this.name == "agents" && azurerm_dns_txt_record.validation.name == "_dnsauth.agents"
    error_message = "The records must be below the zone."
  }
}

run "hostname_of_another_zone" {
  command = plan

  variables {
    hostname = "agents.example.org"
  }

  expect_failures = [var.hostname]
}

run "hostname_is_the_zone" {
  command = plan

  variables {
    hostname = "example.com"
  }

  expect_failures = [var.hostname]
}

run "region_without_the_service" {
  command = plan

  variables {
    private_link_location = "switzerlandnorth"
  }

  expect_failures = [var.private_link_location]
}

run "no_private_link_service" {
  command = plan

  variables {
    private_link_service_id = "/subscriptions/0"
  }

  expect_failures = [var.private_link_service_id]
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

run "mode_that_is_none" {
  command = plan

  variables {
    firewall_mode = "Block"
  }

  expect_failures = [var.firewall_mode]
}

run "hardly_any_request" {
  command = plan

  variables {
    requests_per_minute = 1
  }

  expect_failures = [var.requests_per_minute]
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    private_link_location = "atlantiswest"
  }

  expect_failures = [var.private_link_location]
}
