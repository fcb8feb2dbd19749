mock_provider "google" {}

variables {
  project_id    = "example-project"
  region        = "europe-west4"
  name          = "slipway-dev"
  image         = "europe-west4-docker.pkg.dev/example-project/slipway-dev/standalone:1.0"
  api_keys      = [{ name = "alice", sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" }]
  network_id    = "projects/example-project/global/networks/slipway-dev"
  subnetwork_id = "projects/example-project/regions/europe-west4/subnetworks/slipway-dev-cluster"
  manifests     = { "agent.yaml" = "apiVersion: slipway.dev/v1alpha1\nkind: Agent\n" }
}

run "one_instance_behind_iam" {
  command = plan

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].scaling[0].min_instance_count == 1 && google_cloud_run_v2_service.this.template[0].scaling[0].max_instance_count == 1
    error_message = "One process holds the data, so there must be exactly one."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.invoker_iam_disabled == false && length(google_cloud_run_v2_service_iam_member.invokers) == 0
    error_message = "IAM must ask, and let in nobody who is not named."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "Requests must come from the VPC unless configured otherwise."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].vpc_access[0].egress == "ALL_TRAFFIC"
    error_message = "What leaves must go through the VPC."
  }
  assert {
    condition     = { for mount in google_cloud_run_v2_service.this.template[0].containers[0].volume_mounts : mount.name => mount.mount_path } == { manifests = "/manifests", keys = "/keys" }
    error_message = "Manifests and keys must lie where the image looks for them."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].startup_probe[0].http_get[0].path == "/readyz"
    error_message = "Requests must wait until the indexes are built."
  }
  assert {
    condition     = google_storage_bucket.manifests.public_access_prevention == "enforced" && google_storage_bucket_iam_member.manifests.role == "roles/storage.objectViewer"
    error_message = "Manifests must not be public, and the instance must not change them."
  }
}

run "a_team_may_ask" {
  command = plan
  variables { invokers = { team = "group:team@example.com" } }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.invokers["team"].role == "roles/run.invoker"
    error_message = "Who is named must be able to ask, and no more."
  }
}

run "the_public_where_it_is_meant" {
  command = plan
  variables { allow_public = true }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.invokers["public"].member == "allUsers"
    error_message = "With allow_public, the API key alone decides."
  }
}

run "two_instances_with_one_store" {
  command = plan
  variables {
    store          = { secret = "slipway-dsn", version = "1" }
    vector_db_type = "pgvector"
    max_instances  = 2
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].scaling[0].max_instance_count == 2
    error_message = "What is in the store may be served by several."
  }
  assert {
    condition     = { for each in google_cloud_run_v2_service.this.template[0].containers[0].env : each.name => each.value == null ? "" : each.value } == { VECTOR_DB_TYPE = "pgvector", SLIPWAY_STORE_DSN = "" }
    error_message = "The image must be told the store, by its secret, and where vectors are."
  }
  assert {
    condition     = keys(google_secret_manager_secret_iam_member.places) == ["SLIPWAY_STORE_DSN"]
    error_message = "The instance must be able to read the secret, and no other."
  }
}

run "two_instances_without_a_store" {
  command = plan
  variables { max_instances = 2 }
  expect_failures = [var.max_instances]
}

run "a_back_end_that_nothing_leads_to" {
  command = plan
  variables { vector_db_type = "mongodb" }
  expect_failures = [var.vector_db_type]
}

run "the_public_may_not" {
  command = plan
  variables { invokers = { everybody = "allUsers" } }
  expect_failures = [var.invokers]
}

run "no_manifest" {
  command = plan
  variables { manifests = {} }
  expect_failures = [var.manifests]
}

run "a_file_that_is_not_read" {
  command = plan
  variables { manifests = { "agent.txt" = "apiVersion: slipway.dev/v1alpha1" } }
  expect_failures = [var.manifests]
}

run "a_secret_in_the_bucket" {
  command = plan
  variables { manifests = { "agent.yaml" = "apiVersion: v1\nkind: Secret\n" } }
  expect_failures = [var.manifests]
}

run "an_image_that_moves" {
  command = plan
  variables { image = "europe-west4-docker.pkg.dev/example-project/slipway-dev/runtime:latest" }
  expect_failures = [var.image]
}

run "an_image_without_a_registry" {
  command = plan
  variables { image = "standalone" }
  expect_failures = [var.image]
}

run "nobody_could_ask" {
  command = plan
  variables { api_keys = [] }
  expect_failures = [var.api_keys]
}

run "a_key_in_place_of_its_hash" {
  command = plan
  variables { api_keys = [{ name = "alice", sha256 = "sk-alice" }] }
  expect_failures = [var.api_keys]
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

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-for-the-whole-team" }
  expect_failures = [var.name]
}

run "another_clouds_region" {
  command = plan
  variables { region = "us-east-1" }
  expect_failures = [var.region]
}

run "a_way_in_that_is_none" {
  command = plan
  variables { ingress = "all" }
  expect_failures = [var.ingress]
}

run "three_processors" {
  command = plan
  variables { cpu = 3 }
  expect_failures = [var.cpu]
}

run "memory_for_no_model" {
  command = plan
  variables { memory_gb = 0.5 }
  expect_failures = [var.memory_gb]
}

run "more_at_a_time_than_cloud_run_sends" {
  command = plan
  variables { concurrency = 5000 }
  expect_failures = [var.concurrency]
}

run "longer_than_cloud_run_allows" {
  command = plan
  variables { request_timeout_seconds = 86400 }
  expect_failures = [var.request_timeout_seconds]
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
