mock_provider "google" {}

variables {
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
}

run "nodes_have_a_way_out_and_services_a_range" {
  command = plan

  assert {
    condition     = google_compute_network.this.auto_create_subnetworks == false
    error_message = "Automatic subnetworks would open a range in every region."
  }
  assert {
    condition     = google_compute_subnetwork.cluster.private_ip_google_access
    error_message = "Nodes without public addresses need Private Google Access to reach Google's interfaces."
  }
  assert {
    condition     = [for range in google_compute_subnetwork.cluster.secondary_ip_range : range.ip_cidr_range] == ["10.4.0.0/14", "10.8.0.0/20"]
    error_message = "Pods and Services must have the ranges that were given."
  }
  assert {
    condition     = google_compute_router_nat.this.region == google_compute_subnetwork.cluster.region
    error_message = "The NAT must be in the subnetwork's region."
  }
  assert {
    condition     = google_service_networking_connection.managed_services.reserved_peering_ranges == tolist(["slipway-dev-managed-services"])
    error_message = "The peering must use the range that was reserved for it."
  }
}

run "a_zone_is_no_region" {
  command = plan
  variables { region = "europe-west4-a" }
  expect_failures = [var.region]
}

run "another_clouds_region" {
  command = plan
  variables { region = "eu-central-1" }
  expect_failures = [var.region]
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room-for-suffixes" }
  expect_failures = [var.name]
}

run "pods_would_run_out" {
  command = plan
  variables { pod_cidr = "10.4.0.0/24" }
  expect_failures = [var.pod_cidr]
}

run "one_range_for_two_things" {
  command = plan
  variables { service_cidr = "10.0.0.0/20" }
  expect_failures = [var.service_cidr]
}

run "range_that_is_none" {
  command = plan
  variables { node_cidr = "10.0.0.0" }
  expect_failures = [var.node_cidr]
}

run "managed_services_without_room" {
  command = plan
  variables { managed_services_prefix_length = 28 }
  expect_failures = [var.managed_services_prefix_length]
}

run "share_over_one" {
  command = plan
  variables { flow_log_sampling = 10 }
  expect_failures = [var.flow_log_sampling]
}

run "project_by_its_number" {
  command = plan
  variables { project_id = "123456789012" }
  expect_failures = [var.project_id]
}

run "region_that_does_not_exist" {
  command = plan
  variables { region = "europe-west99" }
  expect_failures = [var.region]
}
