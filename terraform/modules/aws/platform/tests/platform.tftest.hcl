mock_provider "aws" {}
mock_provider "random" {}
mock_provider "kubernetes" {}
mock_provider "helm" {}

variables {
  name               = "slipway-dev"
  account_id         = "111111111111"
  region             = "eu-central-1"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  hostname           = "agents.example.com"
  zone_id            = "Z0123456789ABCDEFGHIJ"
}

run "a_whole_installation" {
  command = plan

  assert {
    condition     = length(module.slipway) == 1 && length(module.redis) == 0 && length(aws_route53_record.gateway) == 1
    error_message = "The chart and its record must be there, and no Redis that nothing uses."
  }
  assert {
    condition     = aws_route53_record.gateway[0].name == "agents.example.com" && aws_route53_record.gateway[0].type == "CNAME"
    error_message = "The hostname must point at the load balancer."
  }
  assert {
    condition     = output.gateway_url == "https://agents.example.com" && output.health_path == "/readyz"
    error_message = "The outputs must say where the gateway is, and what its health is asked by."
  }
}

run "what_auto_mode_leaves_out" {
  command = plan

  assert {
    condition     = kubernetes_storage_class_v1.default.metadata[0].annotations["storageclass.kubernetes.io/is-default-class"] == "true" && kubernetes_storage_class_v1.default.storage_provisioner == "ebs.csi.eks.amazonaws.com"
    error_message = "Without a default class the volumes of indexes stay pending."
  }
  assert {
    condition     = kubernetes_storage_class_v1.default.parameters["encrypted"] == "true"
    error_message = "Volumes must be encrypted."
  }
  assert {
    condition     = kubernetes_config_map_v1.network_policies.data["enable-network-policy-controller"] == "true"
    error_message = "Without this NetworkPolicies are accepted and not enforced."
  }
  assert {
    condition     = kubernetes_ingress_class_v1.alb.spec[0].controller == "eks.amazonaws.com/alb"
    error_message = "The Ingress must be EKS Auto Mode's."
  }
}

run "the_load_balancer_serves_tls_and_lets_streams_be" {
  command = plan

  assert {
    condition     = local.ingress.annotations["alb.ingress.kubernetes.io/scheme"] == "internet-facing" && local.ingress.annotations["alb.ingress.kubernetes.io/ssl-redirect"] == "443"
    error_message = "Users must reach the load balancer, by TLS."
  }
  assert {
    condition     = strcontains(local.ingress.annotations["alb.ingress.kubernetes.io/load-balancer-attributes"], "idle_timeout.timeout_seconds=300")
    error_message = "The usual 60 seconds would cut streams."
  }
}

run "a_name_shared_with_another_installation" {
  command = plan
  variables { additional_hostnames = ["shared.example.com"] }

  assert {
    condition     = output.ingress.hostname == "agents.example.com" && output.ingress.additional_hostnames == tolist(["shared.example.com"])
    error_message = "The gateway must answer to the shared name too."
  }
  assert {
    condition     = length(aws_route53_record.gateway) == 1 && aws_route53_record.gateway[0].name == "agents.example.com"
    error_message = "The shared name's records belong to the fail-over, not to one installation."
  }
}

run "inside_only" {
  command = plan
  variables { internal = true }

  assert {
    condition     = local.ingress.annotations["alb.ingress.kubernetes.io/scheme"] == "internal"
    error_message = "The load balancer must be in the private subnets."
  }
}

run "without_a_hostname" {
  command = plan
  variables {
    hostname = null
    zone_id  = null
  }

  assert {
    condition     = local.ingress == null && length(module.dns) == 0 && output.gateway_url == null
    error_message = "Without a hostname there must be no load balancer, zone or certificate."
  }
}

run "a_pipeline_installs_the_chart" {
  command = plan
  variables { install_slipway = false }

  assert {
    condition     = length(module.slipway) == 0 && length(aws_route53_record.gateway) == 0
    error_message = "Terraform must not own a release that a pipeline owns."
  }

  assert {
    condition     = output.ingress.hostname == "agents.example.com" && output.ingress.class_name == "alb"
    error_message = "The pipeline needs the load balancer's settings."
  }
}

run "with_redis" {
  command = plan
  variables { redis = {} }

  assert {
    condition     = length(module.redis) == 1
    error_message = "Redis must be made where it is asked for."
  }
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room" }
  expect_failures = [var.name]
}

# Thailand has EKS, but not its Auto Mode.
run "a_region_without_the_service" {
  command = plan
  variables {
    region             = "ap-southeast-7"
    availability_zones = ["ap-southeast-7a", "ap-southeast-7b"]
  }
  expect_failures = [var.region]
}

run "a_region_that_does_not_exist" {
  command = plan
  variables {
    region             = "eu-east-9"
    availability_zones = ["eu-east-9a", "eu-east-9b"]
  }
  expect_failures = [var.region]
}

run "a_region_newer_than_the_list" {
  command = plan
  variables {
    region             = "eu-east-9"
    region_check       = false
    availability_zones = ["eu-east-9a", "eu-east-9b"]
  }
}

run "another_clouds_region" {
  command = plan
  variables { region = "europe-west4" }
  expect_failures = [var.region]
}

run "a_hostname_without_a_zone" {
  command = plan
  variables { zone_id = null }
  expect_failures = [var.hostname]
}

run "a_shared_name_without_ones_own" {
  command = plan
  variables {
    hostname             = null
    additional_hostnames = ["agents.example.org"]
  }
  expect_failures = [var.additional_hostnames]
}

run "zones_of_another_region" {
  command = plan
  variables { availability_zones = ["eu-west-1a", "eu-west-1b"] }
  expect_failures = [var.availability_zones]
}

run "the_zone_itself_as_hostname" {
  command = plan
  variables {
    zone_id   = null
    zone_name = "example.com"
    hostname  = "example.com"
  }
  expect_failures = [var.hostname]
}

run "an_account_by_its_name" {
  command = plan
  variables { account_id = "slipway-dev" }
  expect_failures = [var.account_id]
}
