mock_provider "mongodbatlas" {}
mock_provider "random" {}

variables {
  name          = "slipway-test"
  org_id        = "0123456789abcdef01234567"
  cloud         = "AZURE"
  region        = "EUROPE_WEST"
  access_ranges = { slipway = "203.0.113.7/32" }
}

run "an_index_that_fits_the_model" {
  command = plan

  assert {
    condition     = mongodbatlas_search_index.vectors.type == "vectorSearch" && jsondecode(mongodbatlas_search_index.vectors.fields)[0].numDimensions == 384 && jsondecode(mongodbatlas_search_index.vectors.fields)[0].similarity == "cosine"
    error_message = "The index must have 384 dimensions and compare by cosine."
  }

  assert {
    condition     = mongodbatlas_advanced_cluster.this.backup_enabled && mongodbatlas_advanced_cluster.this.termination_protection_enabled
    error_message = "The cluster must be backed up and locked."
  }

  assert {
    condition     = one(mongodbatlas_database_user.this.roles).role_name == "readWrite" && one(mongodbatlas_database_user.this.scopes).name == "slipway-test"
    error_message = "The user must reach this cluster's database and nothing else."
  }
}

run "dimension_that_does_not_fit" {
  command = plan

  variables {
    dimensions = 1536
  }

  expect_failures = [var.dimensions]
}

run "open_to_everybody" {
  command = plan

  variables {
    access_ranges = { all = "0.0.0.0/0" }
  }

  expect_failures = [var.access_ranges]
}

run "nobody_reaches_it" {
  command = plan

  variables {
    access_ranges = {}
  }

  expect_failures = [var.access_ranges]
}

run "region_of_the_cloud_itself" {
  command = plan

  variables {
    region = "westeurope"
  }

  expect_failures = [var.region]
}

run "size_without_backups" {
  command = plan

  variables {
    instance_size = "M0"
  }

  expect_failures = [var.instance_size]
}

run "cloud_that_is_none" {
  command = plan

  variables {
    cloud = "azure"
  }

  expect_failures = [var.cloud]
}

run "organisation_by_name" {
  command = plan

  variables {
    org_id = "my-org"
  }

  expect_failures = [var.org_id]
}

run "name_too_long" {
  command = plan

  variables {
    name = "slipway-with-a-name-too-long"
  }

  expect_failures = [var.name]
}

run "version_without_vector_search" {
  command = plan

  variables {
    mongodb_major_version = "5.0"
  }

  expect_failures = [var.mongodb_major_version]
}

run "database_with_a_dot" {
  command = plan

  variables {
    database = "a.b"
  }

  expect_failures = [var.database]
}

# Stockholm is a region of Google Cloud without Atlas.
run "region_without_the_service" {
  command = plan

  variables {
    cloud  = "GCP"
    region = "EUROPE_NORTH_2"
  }

  expect_failures = [var.region]
}

run "region_of_another_cloud" {
  command = plan

  variables {
    cloud  = "AZURE"
    region = "EU_WEST_1"
  }

  expect_failures = [var.region]
}

run "region_newer_than_the_list" {
  command = plan

  variables {
    cloud        = "GCP"
    region       = "EUROPE_NORTH_9"
    region_check = false
  }
}
