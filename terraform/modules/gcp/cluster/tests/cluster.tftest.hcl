mock_provider "google" {}

variables {
  project_id    = "example-project"
  region        = "europe-west4"
  name          = "slipway-dev"
  network_id    = "projects/example-project/global/networks/slipway-dev"
  subnetwork_id = "projects/example-project/regions/europe-west4/subnetworks/slipway-dev-cluster"
}

run "private_and_protected" {
  command = plan

  assert {
    condition     = google_container_cluster.this.enable_autopilot && google_container_cluster.this.deletion_protection
    error_message = "The cluster must be Autopilot, and protected against deletion unless configured otherwise."
  }
  assert {
    condition     = google_container_cluster.this.private_cluster_config[0].enable_private_nodes && google_container_cluster.this.private_cluster_config[0].enable_private_endpoint
    error_message = "Neither nodes nor the control plane may have a public address."
  }
  assert {
    condition     = google_container_cluster.this.control_plane_endpoints_config[0].dns_endpoint_config[0].allow_external_traffic == false
    error_message = "The control plane's DNS name must stay inside Google Cloud unless configured otherwise."
  }
  assert {
    condition     = length(google_container_cluster.this.master_authorized_networks_config) == 1 && length(google_container_cluster.this.master_authorized_networks_config[0].cidr_blocks) == 0
    error_message = "Authorized networks must be on, and nobody be in them unless configured so."
  }
  assert {
    condition     = google_project_iam_member.nodes.role == "roles/container.defaultNodeServiceAccount"
    error_message = "Nodes must have the least role that they can run with."
  }
  assert {
    condition     = output.workload_identity_pool == "example-project.svc.id.goog"
    error_message = "The workload identity pool is named after the project."
  }
}

run "secrets_under_a_key" {
  command = plan
  variables {
    secrets_kms_key = "projects/example-project/locations/europe-west4/keyRings/slipway/cryptoKeys/secrets"
  }
  assert {
    condition     = google_container_cluster.this.database_encryption[0].state == "ENCRYPTED"
    error_message = "A key that was given must encrypt the Secrets."
  }
}

run "a_vpn_may_reach_the_control_plane" {
  command = plan
  variables { control_plane_cidrs = { vpn = "10.100.0.0/24" } }
  assert {
    condition     = one(google_container_cluster.this.master_authorized_networks_config[0].cidr_blocks).cidr_block == "10.100.0.0/24"
    error_message = "The given range must be the one that is let in."
  }
}

run "everybody_may_not" {
  command = plan
  variables { control_plane_cidrs = { all = "0.0.0.0/0" } }
  expect_failures = [var.control_plane_cidrs]
}

run "kubernetes_too_old" {
  command = plan
  variables { kubernetes_version = "1.33" }
  expect_failures = [var.kubernetes_version]
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-development-europe" }
  expect_failures = [var.name]
}

run "name_under_the_limit" {
  command = plan
  variables { name = "sw" }
  expect_failures = [var.name]
}

run "network_missing" {
  command = plan
  variables { network_id = "" }
  expect_failures = [var.network_id]
}

run "subnetwork_missing" {
  command = plan
  variables { subnetwork_id = "" }
  expect_failures = [var.subnetwork_id]
}

run "a_zone_is_no_region" {
  command = plan
  variables { region = "europe-west4-a" }
  expect_failures = [var.region]
}

run "unknown_channel" {
  command = plan
  variables { release_channel = "NIGHTLY" }
  expect_failures = [var.release_channel]
}

run "no_time_of_day" {
  command = plan
  variables { maintenance_start_time = "25:00" }
  expect_failures = [var.maintenance_start_time]
}

run "key_by_its_name" {
  command = plan
  variables { secrets_kms_key = "secrets" }
  expect_failures = [var.secrets_kms_key]
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
