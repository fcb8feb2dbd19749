mock_provider "cockroach" {}
mock_provider "random" {}

variables {
  name          = "slipway-test"
  cloud         = "AWS"
  regions       = ["eu-central-1"]
  access_ranges = { slipway = "203.0.113.7/32" }
}

run "kept_and_reached_from_one_address" {
  command = plan

  assert {
    condition     = cockroach_cluster.this.delete_protection && cockroach_cluster.this.backup_config.enabled
    error_message = "The cluster must be backed up and locked."
  }

  assert {
    condition     = cockroach_allow_list.this["slipway"].cidr_mask == 32 && !cockroach_allow_list.this["slipway"].ui
    error_message = "The installation must reach SQL, and not the console."
  }
}

run "three_regions" {
  command = plan

  variables {
    regions = ["eu-central-1", "eu-west-1", "eu-north-1"]
  }

  assert {
    condition     = [for region in cockroach_cluster.this.regions : region.primary] == [true, false, false]
    error_message = "The first region must be the primary one."
  }
}

run "two_regions" {
  command = plan

  variables {
    regions = ["eu-central-1", "eu-west-1"]
  }

  expect_failures = [var.regions]
}

run "one_region_twice" {
  command = plan

  variables {
    regions = ["eu-central-1", "eu-central-1", "eu-west-1"]
  }

  expect_failures = [var.regions]
}

run "one_node" {
  command = plan

  variables {
    nodes_per_region = 1
  }

  expect_failures = [var.nodes_per_region]
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

run "retention_that_is_not_offered" {
  command = plan

  variables {
    backup_retention_days = 14
  }

  expect_failures = [var.backup_retention_days]
}

run "name_too_long" {
  command = plan

  variables {
    name = "slipway-with-a-long-name"
  }

  expect_failures = [var.name]
}

run "cloud_that_is_none" {
  command = plan

  variables {
    cloud = "aws"
  }

  expect_failures = [var.cloud]
}

run "cores_that_are_not_offered" {
  command = plan

  variables {
    virtual_cpus = 3
  }

  expect_failures = [var.virtual_cpus]
}

run "database_with_a_hyphen" {
  command = plan

  variables {
    database = "my-db"
  }

  expect_failures = [var.database]
}

run "disk_too_small" {
  command = plan

  variables {
    storage_gib = 1
  }

  expect_failures = [var.storage_gib]
}

# Northern California is a region of AWS without CockroachDB Cloud.
run "region_without_the_service" {
  command = plan

  variables {
    cloud   = "AWS"
    regions = ["us-west-1"]
  }

  expect_failures = [var.regions]
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    regions = ["eu-central-1", "eu-west-1", "eu-east-9"]
  }

  expect_failures = [var.regions]
}
