mock_provider "azurerm" {}

variables {
  domain              = "agents.example.com"
  resource_group_name = "slipway-test"
}

run "one_authority" {
  command = plan

  assert {
    condition     = [for record in azurerm_dns_caa_record.this.record : record.value] == ["digicert.com"]
    error_message = "Nobody but Front Door's authority may sign."
  }
}

run "authorities_write_to_somebody" {
  command = plan

  variables {
    security_contact = "security@example.com"
  }

  assert {
    condition     = contains([for record in azurerm_dns_caa_record.this.record : record.value], "mailto:security@example.com")
    error_message = "The contact must be in the CAA record."
  }
}

run "dot_at_the_end" {
  command = plan

  variables {
    domain = "example.com."
  }

  expect_failures = [var.domain]
}

run "nobody_may_sign" {
  command = plan

  variables {
    certificate_authorities = []
  }

  expect_failures = [var.certificate_authorities]
}

run "resource_group_with_a_slash" {
  command = plan

  variables {
    resource_group_name = "a/b"
  }

  expect_failures = [var.resource_group_name]
}
