mock_provider "google" {}

variables {
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
  secrets    = { database = "postgresql://slipway:secret@10.0.0.2:5432/slipway" }
  readers = {
    pipeline = {
      secret = "database"
      member = "serviceAccount:pipeline@example-project.iam.gserviceaccount.com"
    }
  }
}

run "kept_in_one_region_for_one_reader" {
  command = plan

  assert {
    condition     = google_secret_manager_secret.this["database"].replication[0].user_managed[0].replicas[0].location == "europe-west4"
    error_message = "The secret must stay in the region that was given."
  }
  assert {
    condition     = google_secret_manager_secret_iam_member.readers["pipeline"].role == "roles/secretmanager.secretAccessor"
    error_message = "A reader must be able to read the secret, and nothing more."
  }
  assert {
    condition     = output.secret_ids == { database = "slipway-dev-database" }
    error_message = "Ids are made of the prefix and the name."
  }
  assert {
    condition     = google_secret_manager_secret.this["database"].deletion_protection
    error_message = "Secrets must be protected unless configured otherwise."
  }
}

run "reader_of_a_secret_that_is_not_there" {
  command = plan
  variables {
    readers = {
      pipeline = { secret = "databse", member = "serviceAccount:pipeline@example-project.iam.gserviceaccount.com" }
    }
  }
  expect_failures = [var.readers]
}

run "everybody_may_not_read" {
  command = plan
  variables {
    readers = { everybody = { secret = "database", member = "allUsers" } }
  }
  expect_failures = [var.readers]
}

run "name_of_a_secret_with_a_slash" {
  command = plan
  variables {
    secrets = { "team/database" = "x" }
    readers = {}
  }
  expect_failures = [var.secrets]
}

run "prefix_over_the_limit" {
  command = plan
  variables { name = "a-prefix-that-is-longer-than-the-sixty-four-characters-we-leave-room-for" }
  expect_failures = [var.name]
}

run "another_clouds_region" {
  command = plan
  variables { region = "eu-west-1" }
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
