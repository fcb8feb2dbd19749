mock_provider "google" {}
mock_provider "helm" {}
mock_provider "kubernetes" {}
mock_provider "random" {}

variables {
  project_id       = "example-project"
  region           = "europe-west4"
  name             = "slipway-dev"
  agent_namespaces = ["demo"]
}

run "inside_only_unless_told_otherwise" {
  command = plan

  assert {
    condition     = length(module.dns) == 0 && length(helm_release.edge) == 0 && output.gateway_hostname == null
    error_message = "Without a hostname there must be no public address."
  }
  assert {
    condition     = length(module.redis) == 0
    error_message = "Slipway needs no Redis, so there must be none unless asked for."
  }
  assert {
    condition     = output.registry_url == "europe-west4-docker.pkg.dev/example-project/slipway-dev"
    error_message = "Images must be pulled from the installation's own registry."
  }
  assert {
    condition     = output.database_secret_id == "slipway-dev-database"
    error_message = "The DSN must be in Secret Manager."
  }
  assert {
    condition     = contains(keys(google_project_service.needed), "sqladmin.googleapis.com")
    error_message = "A new project has Cloud SQL switched off."
  }
}

run "a_public_gateway" {
  command = plan
  variables {
    hostname             = "gcp.agents.example.com"
    additional_hostnames = ["agents.example.com"]
  }

  assert {
    condition     = output.gateway_hostname == "gcp.agents.example.com"
    error_message = "The gateway must have the hostname that was given."
  }
  assert {
    condition     = yamldecode(helm_release.edge[0].values[0]).hostnames == ["agents.example.com", "gcp.agents.example.com"]
    error_message = "The load balancer must answer to both names."
  }
  assert {
    condition     = yamldecode(helm_release.edge[0].values[0]).timeoutSeconds == 3600
    error_message = "The load balancer must not cut streams after half a minute."
  }
  assert {
    condition     = keys(output.dns_authorization_records) == ["agents.example.com", "gcp.agents.example.com"]
    error_message = "Each name needs its proof."
  }
}

run "a_pipeline_installs_the_chart" {
  command = plan
  variables {
    hostname        = "agents.example.com"
    install_slipway = false
  }

  assert {
    condition     = length(module.slipway) == 0 && length(helm_release.edge) == 0 && length(module.dns) == 1
    error_message = "Everything but the charts must be made."
  }
  assert {
    condition     = yamldecode(output.edge_values).hostnames == ["agents.example.com"]
    error_message = "The pipeline needs the load balancer's values."
  }
}

run "a_redis_where_asked_for" {
  command = plan
  variables { redis = {} }
  assert {
    condition     = length(module.redis) == 1
    error_message = "An empty object asks for a Redis with the defaults."
  }
}

run "region_that_does_not_exist" {
  command = plan
  variables { region = "europe-west99" }
  expect_failures = [var.region]
}

run "another_clouds_region" {
  command = plan
  variables { region = "eu-central-1" }
  expect_failures = [var.region]
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-development-europe" }
  expect_failures = [var.name]
}

run "hostname_with_a_scheme" {
  command = plan
  variables { hostname = "https://agents.example.com" }
  expect_failures = [var.hostname]
}

run "domain_without_a_hostname" {
  command = plan
  variables { domain = "example.com" }
  expect_failures = [var.domain]
}

run "additional_names_without_a_first" {
  command = plan
  variables { additional_hostnames = ["agents.example.com"] }
  expect_failures = [var.additional_hostnames]
}

run "streams_cut_at_once" {
  command = plan
  variables { stream_timeout_seconds = 1 }
  expect_failures = [var.stream_timeout_seconds]
}

run "project_by_its_number" {
  command = plan
  variables { project_id = "123456789012" }
  expect_failures = [var.project_id]
}

run "region_newer_than_the_list" {
  command = plan
  variables {
    region       = "europe-north9"
    region_check = false
  }
}
