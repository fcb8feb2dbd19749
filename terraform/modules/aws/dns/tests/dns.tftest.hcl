mock_provider "aws" {}

variables {
  zone_name = "example.com"
  hostnames = ["agents.example.com", "aws.agents.example.com"]
}

run "a_zone_and_a_certificate_proven_in_it" {
  command = plan

  assert {
    condition     = aws_route53_zone.this[0].name == "example.com"
    error_message = "The zone must be made."
  }
  assert {
    condition     = aws_acm_certificate.this.domain_name == "agents.example.com" && aws_acm_certificate.this.subject_alternative_names == toset(["aws.agents.example.com"]) && aws_acm_certificate.this.validation_method == "DNS"
    error_message = "The certificate must be for all hostnames, proven by DNS so that it renews itself."
  }
  assert {
    condition     = toset(keys(aws_route53_record.proof)) == toset(var.hostnames)
    error_message = "Each hostname must have a record that proves it."
  }
}

run "a_zone_that_is_there" {
  command = plan
  variables {
    zone_name = null
    zone_id   = "Z0123456789ABCDEFGHIJ"
  }

  assert {
    condition     = length(aws_route53_zone.this) == 0 && alltrue([for record in aws_route53_record.proof : record.zone_id == "Z0123456789ABCDEFGHIJ"])
    error_message = "The zone that is there must be used, and none be made."
  }
  assert {
    condition     = output.name_servers == []
    error_message = "There is nothing to enter at the registrar."
  }
}

run "two_zones" {
  command = plan
  variables { zone_id = "Z0123456789ABCDEFGHIJ" }
  expect_failures = [var.zone_name]
}

run "no_zone" {
  command = plan
  variables { zone_name = null }
  expect_failures = [var.zone_name]
}

run "a_url_is_no_zone" {
  command = plan
  variables { zone_name = "https://example.com" }
  expect_failures = [var.zone_name]
}

run "no_hostnames" {
  command = plan
  variables { hostnames = [] }
  expect_failures = [var.hostnames]
}

run "a_hostname_of_another_zone" {
  command = plan
  variables { hostnames = ["agents.example.org"] }
  expect_failures = [var.hostnames]
}

run "a_hostname_in_capitals" {
  command = plan
  variables { hostnames = ["Agents.example.com"] }
  expect_failures = [var.hostnames]
}

run "a_subject_over_the_limit" {
  command = plan
  variables { hostnames = ["a-hostname-that-is-much-longer-than-the-subject-of-a-certificate.example.com"] }
  expect_failures = [var.hostnames]
}

run "a_name_in_place_of_the_zones_id" {
  command = plan
  variables {
    zone_name = null
    zone_id   = "example.com"
  }
  expect_failures = [var.zone_id]
}
