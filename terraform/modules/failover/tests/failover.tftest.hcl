mock_provider "aws" {}

variables {
  name      = "slipway-prod"
  zone_id   = "Z0123456789ABCDEFGHIJ"
  hostname  = "agents.example.com"
  primary   = { hostname = "aws.agents.example.com" }
  secondary = { hostname = "gcp.agents.example.com" }
}

run "two_records_of_one_name_point_at_different_installations" {
  command = plan

  assert {
    condition     = toset(keys(aws_route53_record.gateway)) == toset(["PRIMARY", "SECONDARY"])
    error_message = "There must be a primary and a secondary record."
  }
  assert {
    condition     = alltrue([for record in aws_route53_record.gateway : record.name == "agents.example.com" && record.type == "CNAME"])
    error_message = "Both records must be of the same name and type, or Route 53 refuses them."
  }
  assert {
    condition     = aws_route53_record.gateway["PRIMARY"].records == toset(["aws.agents.example.com"])
    error_message = "The primary record must point at the primary installation."
  }
  assert {
    condition     = aws_route53_record.gateway["SECONDARY"].records == toset(["gcp.agents.example.com"])
    error_message = "The secondary record must point at the secondary installation."
  }
  assert {
    condition     = alltrue([for role, record in aws_route53_record.gateway : record.failover_routing_policy[0].type == role])
    error_message = "Each record must have its role."
  }
  assert {
    condition     = length(distinct([for record in aws_route53_record.gateway : record.set_identifier])) == 2
    error_message = "Records of one name need identifiers that differ."
  }
}

run "each_gateway_is_asked_by_its_own_name" {
  command = plan

  assert {
    condition     = aws_route53_health_check.gateway["PRIMARY"].fqdn == "aws.agents.example.com" && aws_route53_health_check.gateway["SECONDARY"].fqdn == "gcp.agents.example.com"
    error_message = "A check of the shared name would ask whichever installation serves."
  }
  assert {
    condition     = alltrue([for check in aws_route53_health_check.gateway : check.type == "HTTPS" && check.port == 443 && check.resource_path == "/readyz" && check.enable_sni])
    error_message = "The checks must ask /readyz over TLS with the name, or certificates do not match."
  }
  assert {
    condition     = output.seconds_to_fail_over == 90
    error_message = "Three failures of 10 seconds and a TTL of 60 make 90 seconds."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.unhealthy) == 0
    error_message = "Without a topic there must be no alarm."
  }
}

# Identifiers are known after an apply; here they are given, so that the plan tells which check a record carries.
run "each_record_carries_the_check_of_its_installation" {
  command = plan

  override_resource {
    target          = aws_route53_health_check.gateway["PRIMARY"]
    override_during = plan
    values          = { id = "check-of-the-primary" }
  }
  override_resource {
    target          = aws_route53_health_check.gateway["SECONDARY"]
    override_during = plan
    values          = { id = "check-of-the-secondary" }
  }

  assert {
    condition     = output.records["PRIMARY"].health_check_id == "check-of-the-primary" && output.records["SECONDARY"].health_check_id == "check-of-the-secondary"
    error_message = "Each record must carry its own installation's health check."
  }
  assert {
    condition     = output.checked["PRIMARY"] == "https://aws.agents.example.com/readyz" && output.checked["SECONDARY"] == "https://gcp.agents.example.com/readyz"
    error_message = "The outputs must tell what is asked."
  }
}

run "somebody_is_told" {
  command = plan
  variables { alarm_topic_arns = ["arn:aws:sns:us-east-1:111111111111:pager"] }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.unhealthy : alarm.region == "us-east-1" && alarm.namespace == "AWS/Route53"])
    error_message = "Alarms on Route 53 work in us-east-1 only."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.unhealthy) == 2
    error_message = "Both installations must be watched, the idle one too."
  }
}

run "to_itself" {
  command = plan
  variables { secondary = { hostname = "aws.agents.example.com" } }
  expect_failures = [var.secondary]
}

run "a_name_that_points_to_itself" {
  command = plan
  variables { hostname = "aws.agents.example.com" }
  expect_failures = [var.hostname]
}

run "a_zones_own_name" {
  command = plan
  variables { hostname = "example.com" }
  expect_failures = [var.hostname]
}

run "a_url_in_place_of_a_name" {
  command = plan
  variables { primary = { hostname = "https://aws.agents.example.com" } }
  expect_failures = [var.primary]
}

run "a_path_without_its_slash" {
  command = plan
  variables { secondary = { hostname = "gcp.agents.example.com", health_path = "readyz" } }
  expect_failures = [var.secondary]
}

run "the_zones_name_in_place_of_its_id" {
  command = plan
  variables { zone_id = "example.com" }
  expect_failures = [var.zone_id]
}

run "an_interval_that_route_53_does_not_know" {
  command = plan
  variables { request_interval_seconds = 5 }
  expect_failures = [var.request_interval_seconds]
}

run "no_failure_at_all" {
  command = plan
  variables { failure_threshold = 0 }
  expect_failures = [var.failure_threshold]
}

run "a_day_in_caches" {
  command = plan
  variables { ttl_seconds = 86400 }
  expect_failures = [var.ttl_seconds]
}

run "a_topic_elsewhere" {
  command = plan
  variables { alarm_topic_arns = ["arn:aws:sns:eu-central-1:111111111111:pager"] }
  expect_failures = [var.alarm_topic_arns]
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-is-far-too-long-for-this" }
  expect_failures = [var.name]
}
