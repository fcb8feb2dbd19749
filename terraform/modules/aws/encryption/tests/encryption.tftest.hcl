mock_provider "aws" {}

variables {
  name       = "slipway-dev"
  account_id = "111111111111"
  region     = "eu-central-1"
}

run "the_key_is_rotated_and_kept_for_a_month" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must be rotated, and be had back for 30 days."
  }
  assert {
    condition     = aws_kms_alias.this.name == "alias/slipway-dev"
    error_message = "The alias must be named after the installation."
  }
}

run "only_the_account_and_its_logs_may_use_the_key" {
  command = plan

  assert {
    condition     = [for statement in jsondecode(aws_kms_key.this.policy).Statement : statement.Principal] == [{ AWS = "arn:aws:iam::111111111111:root" }, { Service = "logs.eu-central-1.amazonaws.com" }]
    error_message = "No other principal may be in the key's policy."
  }
  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[1].Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"] == "arn:aws:logs:eu-central-1:111111111111:*"
    error_message = "CloudWatch may use the key for log groups of this account only."
  }
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room" }
  expect_failures = [var.name]
}

run "name_with_capitals" {
  command = plan
  variables { name = "Slipway" }
  expect_failures = [var.name]
}

run "window_too_short" {
  command = plan
  variables { deletion_window_days = 1 }
  expect_failures = [var.deletion_window_days]
}

run "an_account_by_its_name" {
  command = plan
  variables { account_id = "slipway-dev" }
  expect_failures = [var.account_id]
}

run "a_zone_is_no_region" {
  command = plan
  variables { region = "eu-central-1a" }
  expect_failures = [var.region]
}

run "another_clouds_region" {
  command = plan
  variables { region = "europe-west4" }
  expect_failures = [var.region]
}

# Beijing belongs to a partition with other ARNs.
run "a_region_of_another_partition" {
  command = plan
  variables { region = "cn-north-1" }
  expect_failures = [var.region]
}

run "a_region_that_does_not_exist" {
  command = plan
  variables { region = "eu-east-9" }
  expect_failures = [var.region]
}
