mock_provider "aws" {}

variables {
  name        = "slipway-dev"
  secrets     = { database-dsn = "The store", gateway-keys = "Callers" }
  values      = { database-dsn = "postgresql://u:p@h:5432/d" }
  kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-0000-0000-000000000000"
}

run "secrets_are_encrypted_and_kept" {
  command = plan

  assert {
    condition     = toset([for secret in aws_secretsmanager_secret.this : secret.name]) == toset(["slipway-dev/database-dsn", "slipway-dev/gateway-keys"])
    error_message = "Secrets must be named after their installation."
  }
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == var.kms_key_arn && secret.recovery_window_in_days == 30])
    error_message = "Secrets must be encrypted with the installation's key, and be had back for 30 days."
  }
  assert {
    condition     = keys(aws_secretsmanager_secret_version.this) == ["database-dsn"]
    error_message = "Only what was given may be written: the rest is written by hand."
  }
}

# Applied to the mock, so that secrets have ARNs.
run "the_policy_reads_these_and_no_other" {
  command = apply

  assert {
    condition     = toset(jsondecode(aws_iam_policy.read.policy).Statement[0].Resource) == toset(values(output.secret_arns))
    error_message = "The policy must name exactly these secrets."
  }
  assert {
    condition     = jsondecode(aws_iam_policy.read.policy).Statement[1].Resource == var.kms_key_arn
    error_message = "The policy must name the key, and no other."
  }
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room" }
  expect_failures = [var.name]
}

run "no_secrets" {
  command = plan
  variables { secrets = {} }
  expect_failures = [var.secrets]
}

run "a_secret_with_a_slash" {
  command = plan
  variables { secrets = { "a/b" = "c", database-dsn = "d" } }
  expect_failures = [var.secrets]
}

run "a_value_without_its_secret" {
  command = plan
  variables { values = { databse-dsn = "a" } }
  expect_failures = [var.values]
}

run "a_window_that_aws_refuses" {
  command = plan
  variables { recovery_window_days = 3 }
  expect_failures = [var.recovery_window_days]
}

run "alias_in_place_of_the_key" {
  command = plan
  variables { kms_key_arn = "alias/slipway" }
  expect_failures = [var.kms_key_arn]
}
