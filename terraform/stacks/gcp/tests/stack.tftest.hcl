mock_provider "google" {}
mock_provider "helm" {}
mock_provider "kubernetes" {}
mock_provider "random" {}

variables {
  environment = "prod"
  project_id  = "example-project"
  region      = "europe-west4"
  name        = "slipway-prod"
  hostname    = "agents.example.com"
}

run "one_installation" {
  command = plan

  assert {
    condition     = output.gateway_hostname == "agents.example.com" && output.registry_url == "europe-west4-docker.pkg.dev/example-project/slipway-prod"
    error_message = "The stack must pass on what it was given."
  }
}

run "an_environment_that_is_none" {
  command = plan
  variables { environment = "production" }
  expect_failures = [var.environment]
}
