mock_provider "aws" {}
mock_provider "random" {}
mock_provider "kubernetes" {}
mock_provider "helm" {}

variables {
  environment        = "staging"
  account_id         = "222222222222"
  region             = "eu-central-1"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  hostname           = "agents.staging.example.com"
  zone_id            = "Z0EXAMPLESTAGING00000"
}

run "one_environment" {
  command = plan

  assert {
    condition     = output.cluster_name == "slipway-staging" && output.gateway_url == "https://agents.staging.example.com"
    error_message = "Names must tell the environment."
  }
}

run "an_environment_that_is_none" {
  command = plan
  variables { environment = "production" }
  expect_failures = [var.environment]
}

run "an_account_by_its_name" {
  command = plan
  variables { account_id = "slipway-staging" }
  expect_failures = [var.account_id]
}

run "production_without_protection" {
  command = plan
  variables {
    environment         = "prod"
    deletion_protection = false
  }
  expect_failures = [var.deletion_protection]
}
