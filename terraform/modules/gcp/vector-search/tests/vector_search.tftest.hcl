mock_provider "google" {}

variables {
  project_id    = "example-project"
  region        = "europe-west4"
  name          = "slipway-dev"
  network_id    = "projects/example-project/global/networks/slipway-dev"
  subnetwork_id = "projects/example-project/regions/europe-west4/subnetworks/slipway-dev-cluster"
}

run "switches_the_interface_on_and_makes_no_index" {
  command = plan
  variables {
    users         = { agents = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s" }
    network_id    = null
    subnetwork_id = null
  }

  assert {
    condition     = length(google_vertex_ai_index.this) + length(google_vertex_ai_index_endpoint.this) + length(google_compute_address.this) == 0
    error_message = "Slipway makes the collections of Vector Search 2.0; nothing is deployed or charged before."
  }
  assert {
    condition     = contains(keys(google_project_service.needed), "vectorsearch.googleapis.com") && google_project_iam_member.users["agents"].role == "roles/vectorsearch.admin"
    error_message = "The interface must be switched on, and users may make collections."
  }
}

run "fits_the_embeddings_and_is_private" {
  command = plan
  variables {
    legacy_index       = true
    contents_delta_uri = "gs://example-vectors/handbook"
  }

  assert {
    condition     = google_vertex_ai_index.this[0].metadata[0].contents_delta_uri == "gs://example-vectors/handbook" && google_vertex_ai_index.this[0].metadata[0].config[0].dimensions == 384 && google_vertex_ai_index.this[0].metadata[0].config[0].distance_measure_type == "COSINE_DISTANCE"
    error_message = "The index must fit MiniLM: 384 dimensions, cosine."
  }
  assert {
    condition     = google_vertex_ai_index_endpoint.this[0].public_endpoint_enabled == false && google_vertex_ai_index_endpoint.this[0].private_service_connect_config[0].project_allowlist == tolist(["example-project"])
    error_message = "The endpoint must be private, for this project alone."
  }
  assert {
    condition     = length(google_compute_forwarding_rule.this) == 1
    error_message = "The VPC needs a way to the endpoint."
  }
  assert {
    condition     = google_vertex_ai_index_endpoint_deployed_index.this[0].deployed_index_id == "slipway_dev"
    error_message = "Vertex AI refuses hyphens in the id of a deployed index."
  }
  assert {
    condition     = google_vertex_ai_index_endpoint_deployed_index.this[0].enable_access_logging == false
    error_message = "What people ask must not be logged."
  }
}

run "public_where_it_is_meant" {
  command = plan
  variables {
    legacy_index  = true
    allow_public  = true
    network_id    = null
    subnetwork_id = null
  }
  assert {
    condition     = google_vertex_ai_index_endpoint.this[0].public_endpoint_enabled && length(google_compute_address.this) == 0
    error_message = "A public endpoint has no address in a VPC."
  }
}

run "dimension_that_does_not_fit" {
  command = plan
  variables { dimensions = 768 }
  expect_failures = [var.dimensions]
}

run "network_missing" {
  command = plan
  variables {
    legacy_index = true
    network_id   = null
  }
  expect_failures = [var.network_id]
}

run "subnetwork_missing" {
  command = plan
  variables {
    legacy_index  = true
    subnetwork_id = null
  }
  expect_failures = [var.subnetwork_id]
}

# Berlin is a region of Google Cloud without Vertex AI.
run "region_without_the_service" {
  command = plan
  variables { region = "europe-west10" }
  expect_failures = [var.region]
}

run "fewer_at_most_than_at_least" {
  command = plan
  variables {
    min_replicas = 3
    max_replicas = 2
  }
  expect_failures = [var.max_replicas]
}

run "no_replica" {
  command = plan
  variables { min_replicas = 0 }
  expect_failures = [var.min_replicas]
}

run "machine_that_serves_no_index" {
  command = plan
  variables { machine_type = "e2-micro" }
  expect_failures = [var.machine_type]
}

run "too_few_neighbours" {
  command = plan
  variables { approximate_neighbors = 1 }
  expect_failures = [var.approximate_neighbors]
}

run "everybody_may_not_search" {
  command = plan
  variables { users = { everybody = "allUsers" } }
  expect_failures = [var.users]
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room-for-the-addresses-suffix" }
  expect_failures = [var.name]
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

run "region_newer_than_the_list" {
  command = plan
  variables {
    region       = "europe-north9"
    region_check = false
  }
}

run "contents_without_an_index_to_fill" {
  command = plan
  variables { contents_delta_uri = "gs://example-vectors/handbook" }
  expect_failures = [var.contents_delta_uri]
}
