mock_provider "google" {}
mock_provider "random" {}

variables {
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
  network_id = "projects/example-project/global/networks/slipway-dev"
}

run "private_encrypted_and_backed_up" {
  command = plan

  assert {
    condition     = google_sql_database_instance.this.settings[0].ip_configuration[0].ipv4_enabled == false
    error_message = "A database must have no public address unless asked for."
  }
  assert {
    condition     = google_sql_database_instance.this.settings[0].ip_configuration[0].private_network == var.network_id
    error_message = "The database must be in the VPC that was given."
  }
  assert {
    condition     = google_sql_database_instance.this.settings[0].ip_configuration[0].ssl_mode == "ENCRYPTED_ONLY"
    error_message = "Connections in clear text must be refused."
  }
  assert {
    condition     = google_sql_database_instance.this.settings[0].backup_configuration[0].enabled && google_sql_database_instance.this.settings[0].backup_configuration[0].point_in_time_recovery_enabled
    error_message = "There must be backups, to the minute."
  }
  assert {
    condition     = google_sql_database_instance.this.deletion_protection && google_sql_database_instance.this.settings[0].deletion_protection_enabled
    error_message = "Both Terraform and Google must refuse to delete the database."
  }
  assert {
    condition     = google_sql_database_instance.this.settings[0].availability_type == "REGIONAL"
    error_message = "A database must survive a zone unless configured otherwise."
  }
  assert {
    condition = alltrue([
      for name, value in { log_statement = "none", log_min_error_statement = "panic", log_min_duration_statement = "-1" } :
      { for flag in google_sql_database_instance.this.settings[0].database_flags : flag.name => flag.value }[name] == value
    ])
    error_message = "Statements hold questions, answers and roles' passwords, and must not be logged."
  }
  assert {
    condition     = random_password.admin.special == false
    error_message = "The password is part of a URL, so it must need no escaping."
  }
}

run "an_office_may_reach_it_if_it_is_meant" {
  command = plan
  variables {
    allow_public    = true
    public_networks = { office = "203.0.113.0/24" }
  }
  assert {
    condition     = one(google_sql_database_instance.this.settings[0].ip_configuration[0].authorized_networks).value == "203.0.113.0/24"
    error_message = "The range that was given must be the only one let in."
  }
}

run "public_without_saying_so" {
  command = plan
  variables { public_networks = { office = "203.0.113.0/24" } }
  expect_failures = [var.public_networks]
}

run "public_to_everybody" {
  command = plan
  variables {
    allow_public    = true
    public_networks = { everybody = "0.0.0.0/0" }
  }
  expect_failures = [var.public_networks]
}

run "network_missing" {
  command = plan
  variables { network_id = "" }
  expect_failures = [var.network_id]
}

run "another_clouds_region" {
  command = plan
  variables { region = "westeurope" }
  expect_failures = [var.region]
}

run "another_editions_tier" {
  command = plan
  variables { tier = "db-perf-optimized-N-2" }
  expect_failures = [var.tier]
}

run "limit_under_the_size" {
  command = plan
  variables {
    disk_gb       = 100
    disk_limit_gb = 50
  }
  expect_failures = [var.disk_limit_gb]
}

run "version_too_old" {
  command = plan
  variables { database_version = "POSTGRES_14" }
  expect_failures = [var.database_version]
}

run "googles_own_database" {
  command = plan
  variables { database = "cloudsqladmin" }
  expect_failures = [var.database]
}

run "reserved_role" {
  command = plan
  variables { admin_user = "cloudsqlsuperuser" }
  expect_failures = [var.admin_user]
}

run "too_few_backups" {
  command = plan
  variables { retained_backups = 1 }
  expect_failures = [var.retained_backups]
}

run "too_many_connections" {
  command = plan
  variables { max_connections = 100000 }
  expect_failures = [var.max_connections]
}

run "disk_too_small" {
  command = plan
  variables { disk_gb = 5 }
  expect_failures = [var.disk_gb]
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-is-longer-than-any-of-the-instances-may" }
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
