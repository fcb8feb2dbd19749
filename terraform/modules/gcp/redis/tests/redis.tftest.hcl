mock_provider "google" {}

variables {
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
  network_id = "projects/example-project/global/networks/slipway-dev"
}

run "private_with_a_password_and_tls" {
  command = plan

  assert {
    condition     = google_redis_instance.this.auth_enabled && google_redis_instance.this.transit_encryption_mode == "SERVER_AUTHENTICATION"
    error_message = "Redis must ask for a password, over TLS."
  }
  assert {
    condition     = google_redis_instance.this.connect_mode == "PRIVATE_SERVICE_ACCESS" && google_redis_instance.this.authorized_network == var.network_id
    error_message = "Redis must be in the VPC that was given."
  }
  assert {
    condition     = google_redis_instance.this.tier == "STANDARD_HA"
    error_message = "Redis must survive a zone unless configured otherwise."
  }
  assert {
    condition     = google_redis_instance.this.redis_configs["maxmemory-policy"] == "noeviction"
    error_message = "Conversations must not be forgotten when memory runs out."
  }
}

run "network_missing" {
  command = plan
  variables { network_id = "" }
  expect_failures = [var.network_id]
}

run "part_of_a_gigabyte" {
  command = plan
  variables { memory_gb = 0.5 }
  expect_failures = [var.memory_gb]
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-longer-than-memorystore-takes" }
  expect_failures = [var.name]
}

run "another_clouds_region" {
  command = plan
  variables { region = "us-west-2" }
  expect_failures = [var.region]
}

run "project_by_its_number" {
  command = plan
  variables { project_id = "123456789012" }
  expect_failures = [var.project_id]
}

# Oklahoma is a region of Google Cloud for few.
run "region_without_the_service" {
  command = plan
  variables { region = "us-central2" }
  expect_failures = [var.region]
}

run "region_that_does_not_exist" {
  command = plan
  variables { region = "europe-west99" }
  expect_failures = [var.region]
}

run "region_newer_than_the_list" {
  command = plan
  variables {
    region       = "europe-north9"
    region_check = false
  }
}
