mock_provider "helm" {}
mock_provider "kubernetes" {}

variables {
  image_registry = "registry.example.com/slipway"
  database_dsn   = "postgresql://slipway:secret@db.example.com:5432/slipway?sslmode=require"
}

run "the_chart_gets_what_was_given" {
  command = plan

  assert {
    condition     = yamldecode(helm_release.slipway.values[1]).image.registry == "registry.example.com/slipway"
    error_message = "The chart must get the registry."
  }

  assert {
    condition     = yamldecode(helm_release.slipway.values[0]).postgres.existingSecret == "slipway-database" && length(kubernetes_secret_v1.database) == 1
    error_message = "The chart must get the Secret that is made of the DSN."
  }

  assert {
    condition     = yamldecode(helm_release.slipway.values[0]).gateway.auth.mode == "apikeys"
    error_message = "Callers must show a key."
  }

  assert {
    condition     = helm_release.slipway.atomic && helm_release.slipway.wait
    error_message = "An installation that is not ready must be taken back."
  }

  assert {
    condition     = kubernetes_namespace_v1.release.metadata[0].labels["pod-security.kubernetes.io/enforce"] == "restricted"
    error_message = "The namespace must let no other pods in."
  }

  assert {
    condition     = length(kubernetes_ingress_v1.gateway) == 0 && output.gateway_url == null
    error_message = "Nothing may lead in that was not asked for."
  }
}

run "served_at_two_names" {
  command = plan

  variables {
    ingress = { hostname = "agents.example.com", class_name = "alb", additional_hostnames = ["shared.example.com"] }
  }

  assert {
    condition     = [for rule in kubernetes_ingress_v1.gateway[0].spec[0].rule : rule.host] == ["agents.example.com", "shared.example.com"]
    error_message = "Every name must lead to the gateway."
  }

  assert {
    condition     = output.gateway_url == "https://agents.example.com"
    error_message = "The first name is the gateway's."
  }
}

run "authorities_in_every_namespace" {
  command = plan

  variables {
    agent_namespaces = ["demo"]
    ca_bundle        = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
  }

  assert {
    condition     = sort(keys(kubernetes_config_map_v1.ca)) == tolist(["demo", "slipway-system"])
    error_message = "Agents need the authorities too."
  }

  assert {
    condition     = yamldecode(helm_release.slipway.values[0]).caBundle.configMap == "slipway-ca"
    error_message = "The chart must get their names."
  }
}

run "secret_of_somebody_else" {
  command = plan

  variables {
    database_dsn    = null
    database_secret = "from-the-vault"
  }

  assert {
    condition     = length(kubernetes_secret_v1.database) == 0 && yamldecode(helm_release.slipway.values[0]).postgres.existingSecret == "from-the-vault"
    error_message = "A Secret that is there must be used as it is."
  }
}

run "no_database" {
  command = plan

  variables {
    database_dsn = null
  }

  expect_failures = [helm_release.slipway]
}

run "two_databases" {
  command = plan

  variables {
    database_secret = "from-the-vault"
  }

  expect_failures = [helm_release.slipway]
}

run "database_without_tls" {
  command = plan

  variables {
    database_dsn = "postgresql://slipway:secret@db.example.com:5432/slipway?sslmode=disable"
  }

  expect_failures = [var.database_dsn]
}

run "parameter_that_pods_do_not_get" {
  command = plan

  variables {
    database_dsn = "postgresql://slipway:secret@db.example.com:5432/slipway?connect_timeout=5"
  }

  expect_failures = [var.database_dsn]
}

run "key_in_place_of_its_hash" {
  command = plan

  variables {
    api_keys = [{ name = "alice", sha256 = "slp_secret" }]
  }

  expect_failures = [var.api_keys]
}

run "two_sources_of_keys" {
  command = plan

  variables {
    api_keys_secret = "keys"
    api_keys        = [{ name = "alice", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }]
  }

  expect_failures = [var.api_keys_secret]
}

run "tag_that_moves" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}

run "registry_with_a_scheme" {
  command = plan

  variables {
    image_registry = "https://registry.example.com/slipway"
  }

  expect_failures = [var.image_registry]
}

run "chart_from_a_registry_without_a_version" {
  command = plan

  variables {
    chart = "oci://registry.example.com/charts/slipway"
  }

  expect_failures = [var.chart_version]
}

run "namespace_of_every_cluster" {
  command = plan

  variables {
    namespace = "default"
  }

  expect_failures = [var.namespace]
}

run "agents_in_the_namespace_of_the_release" {
  command = plan

  variables {
    agent_namespaces = ["slipway-system"]
  }

  expect_failures = [var.agent_namespaces]
}

run "hostname_that_is_none" {
  command = plan

  variables {
    ingress = { hostname = "Agents", class_name = "alb" }
  }

  expect_failures = [var.ingress]
}

run "values_that_are_no_yaml" {
  command = plan

  variables {
    extra_values = ["a: [b"]
  }

  expect_failures = [var.extra_values]
}

run "name_too_long" {
  command = plan

  variables {
    name = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
  }

  expect_failures = [var.name]
}

run "no_time_to_start" {
  command = plan

  variables {
    timeout_seconds = 5
  }

  expect_failures = [var.timeout_seconds]
}

run "no_operator" {
  command = plan

  variables {
    operator_replicas = 0
  }

  expect_failures = [var.operator_replicas]
}

run "half_a_gateway" {
  command = plan

  variables {
    gateway_replicas = 1.5
  }

  expect_failures = [var.gateway_replicas]
}

run "collector_without_a_scheme" {
  command = plan

  variables {
    otlp_endpoint = "collector:4318"
  }

  expect_failures = [var.otlp_endpoint]
}

run "agent_without_a_namespace" {
  command = plan

  variables {
    default_agent = "handbook"
  }

  expect_failures = [var.default_agent]
}

run "authorities_that_are_none" {
  command = plan

  variables {
    ca_bundle = "/etc/ssl/ca.pem"
  }

  expect_failures = [var.ca_bundle]
}

run "empty_chart" {
  command = plan

  variables {
    chart = ""
  }

  expect_failures = [var.chart]
}

run "service_on_every_node" {
  command = plan

  variables {
    service_type = "NodePort"
  }

  expect_failures = [var.service_type]
}
