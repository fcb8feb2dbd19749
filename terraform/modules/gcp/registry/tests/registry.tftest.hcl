mock_provider "google" {}

variables {
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
  readers    = { nodes = "serviceAccount:slipway-dev-nodes@example-project.iam.gserviceaccount.com" }
}

run "tags_stay_and_nodes_pull" {
  command = plan

  assert {
    condition     = google_artifact_registry_repository.this.docker_config[0].immutable_tags
    error_message = "A tag that can be moved says nothing about what runs."
  }
  assert {
    condition     = google_artifact_registry_repository_iam_member.readers["nodes"].role == "roles/artifactregistry.reader"
    error_message = "Nodes must be able to pull, and not to push."
  }
  assert {
    condition     = length(google_artifact_registry_repository_iam_member.writers) == 0
    error_message = "Nobody may push unless configured so."
  }
  assert {
    condition     = output.url == "europe-west4-docker.pkg.dev/example-project/slipway-dev"
    error_message = "The chart needs the registry's address in the form that docker uses."
  }
  assert {
    condition     = one([for policy in google_artifact_registry_repository.this.cleanup_policies : policy.condition[0].older_than if policy.action == "DELETE"]) == "7776000s"
    error_message = "90 days are 7776000 seconds."
  }
}

run "the_world_may_not_pull" {
  command = plan
  variables { readers = { everybody = "allUsers" } }
  expect_failures = [var.readers]
}

run "the_world_may_not_push" {
  command = plan
  variables { writers = { everybody = "allAuthenticatedUsers" } }
  expect_failures = [var.writers]
}

run "no_way_back" {
  command = plan
  variables { keep_versions = 1 }
  expect_failures = [var.keep_versions]
}

run "deleted_while_in_use" {
  command = plan
  variables { delete_after_days = 1 }
  expect_failures = [var.delete_after_days]
}

run "name_with_capitals" {
  command = plan
  variables { name = "Slipway" }
  expect_failures = [var.name]
}

run "another_clouds_region" {
  command = plan
  variables { region = "us-east-1" }
  expect_failures = [var.region]
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
