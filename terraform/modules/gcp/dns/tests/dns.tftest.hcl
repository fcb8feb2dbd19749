mock_provider "google" {}

variables {
  project_id = "example-project"
  name       = "slipway-dev"
  domain     = "gcp.example.com"
  hostname   = "agents.gcp.example.com"
}

run "a_name_with_its_certificate" {
  command = plan

  assert {
    condition     = google_dns_record_set.gateway.name == "agents.gcp.example.com." && google_dns_record_set.gateway.type == "A"
    error_message = "The hostname must have an address record, with the dot at the end that Cloud DNS wants."
  }
  assert {
    condition     = google_dns_managed_zone.this.dnssec_config[0].state == "on"
    error_message = "The zone must be signed."
  }
  assert {
    condition     = google_certificate_manager_certificate.this["agents.gcp.example.com"].managed[0].domains == tolist(["agents.gcp.example.com"])
    error_message = "The hostname must be in its certificate."
  }
  assert {
    condition     = google_compute_ssl_policy.this.min_tls_version == "TLS_1_2"
    error_message = "TLS 1.0 and 1.1 must be refused."
  }
}

run "a_name_of_another_zone_is_certified_and_not_written" {
  command = plan
  variables { additional_hostnames = ["agents.example.com"] }

  assert {
    condition     = output.hostnames == tolist(["agents.example.com", "agents.gcp.example.com"]) && length(google_certificate_manager_certificate.this) == 2
    error_message = "Both names need a certificate of their own."
  }
  assert {
    condition     = keys(google_dns_record_set.authorization) == ["agents.gcp.example.com"]
    error_message = "Only names of this zone can be written into it."
  }
  assert {
    condition     = keys(output.dns_authorization_records) == ["agents.example.com", "agents.gcp.example.com"]
    error_message = "The other zone's owner needs the record."
  }
}

run "a_name_that_only_looks_as_if_it_were_in_the_zone" {
  command = plan
  variables { hostname = "agents.notgcp.example.com" }
  expect_failures = [var.hostname]
}

run "an_address_is_no_hostname" {
  command = plan
  variables { hostname = "https://agents.gcp.example.com/" }
  expect_failures = [var.hostname]
}

run "domain_with_a_dot_at_the_end" {
  command = plan
  variables { domain = "gcp.example.com." }
  expect_failures = [var.domain]
}

run "the_hostname_twice" {
  command = plan
  variables { additional_hostnames = ["agents.gcp.example.com"] }
  expect_failures = [var.additional_hostnames]
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room-for-suffixes" }
  expect_failures = [var.name]
}

run "ttl_of_no_time" {
  command = plan
  variables { ttl_seconds = 0 }
  expect_failures = [var.ttl_seconds]
}

run "project_by_its_number" {
  command = plan
  variables { project_id = "123456789012" }
  expect_failures = [var.project_id]
}
