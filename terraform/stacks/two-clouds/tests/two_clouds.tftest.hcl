mock_provider "aws" {}
mock_provider "google" {}
mock_provider "random" {}
mock_provider "kubernetes" { alias = "aws" }
mock_provider "helm" { alias = "aws" }
mock_provider "kubernetes" { alias = "gcp" }
mock_provider "helm" { alias = "gcp" }

variables {
  environment = "prod"
  hostname    = "agents.example.com"
  zone_id     = "Z0123456789ABCDEFGHIJ"

  aws = {
    account_id         = "333333333333"
    region             = "eu-central-1"
    availability_zones = ["eu-central-1a", "eu-central-1b"]
  }
  gcp = {
    project_id = "example-project"
    region     = "europe-west4"
  }
}

# Identifiers of health checks are known after an apply; here they are given, so that the plan tells which record has which.
override_resource {
  target          = module.failover.aws_route53_health_check.gateway["PRIMARY"]
  override_during = plan
  values          = { id = "check-of-the-primary" }
}
override_resource {
  target          = module.failover.aws_route53_health_check.gateway["SECONDARY"]
  override_during = plan
  values          = { id = "check-of-the-secondary" }
}

run "one_name_leads_to_two_installations" {
  command = plan

  assert {
    condition = output.failover_records == {
      PRIMARY   = { name = "agents.example.com", target = "aws.agents.example.com", health_check_id = "check-of-the-primary" }
      SECONDARY = { name = "agents.example.com", target = "gcp.agents.example.com", health_check_id = "check-of-the-secondary" }
    }
    error_message = "Both records must exist, each with its own health check, and point at different installations."
  }
  assert {
    condition = output.health_checks == {
      PRIMARY   = "https://aws.agents.example.com/readyz"
      SECONDARY = "https://gcp.agents.example.com/readyz"
    }
    error_message = "Each gateway must be asked by its own name, at the path that tells whether it can serve."
  }
  assert {
    condition     = module.aws.gateway_hostname == output.failover_records["PRIMARY"].target && module.gcp.gateway_hostname == output.failover_records["SECONDARY"].target
    error_message = "The records must point at the names that the installations themselves answer to."
  }
}

run "google_cloud_first" {
  command = plan
  variables { primary = "gcp" }

  assert {
    condition     = output.failover_records["PRIMARY"].target == "gcp.agents.example.com" && output.failover_records["SECONDARY"].target == "aws.agents.example.com"
    error_message = "The primary must be the cloud that was named."
  }
}

run "googles_name_and_proof_are_in_the_zone" {
  command = plan

  assert {
    condition     = aws_route53_record.gcp_zone.type == "NS" && aws_route53_record.gcp_zone.name == "gcp.agents.example.com"
    error_message = "Route 53 must hand Google's name to Cloud DNS."
  }
  assert {
    condition     = aws_route53_record.gcp_proof.type == "CNAME" && aws_route53_record.gcp_proof.zone_id == "Z0123456789ABCDEFGHIJ"
    error_message = "Google must find the proof for the shared name in its zone."
  }
}

run "nothing_is_shared" {
  command = plan

  assert {
    condition     = output.cluster_names.aws == "slipway-ha-prod" && output.cluster_names.gcp == "slipway-ha-prod"
    error_message = "Names must tell the environment, and differ from those of an environment in one cloud."
  }
}

run "a_third_cloud" {
  command = plan
  variables { primary = "azure" }
  expect_failures = [var.primary]
}

run "a_zones_own_name" {
  command = plan
  variables { hostname = "example.com" }
  expect_failures = [var.hostname]
}

run "an_environment_that_is_none" {
  command = plan
  variables { environment = "production" }
  expect_failures = [var.environment]
}

run "an_account_by_its_name" {
  command = plan
  variables {
    aws = {
      account_id         = "slipway"
      region             = "eu-central-1"
      availability_zones = ["eu-central-1a", "eu-central-1b"]
    }
  }
  expect_failures = [var.aws]
}

run "production_without_protection" {
  command = plan
  variables { deletion_protection = false }
  expect_failures = [var.deletion_protection]
}
