mock_provider "aws" {}

variables {
  name               = "slipway-dev"
  availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  kms_key_arn        = "arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-0000-0000-000000000000"
}

run "a_subnet_of_each_kind_in_each_zone" {
  command = plan

  assert {
    condition     = [for zone in var.availability_zones : aws_subnet.private[zone].cidr_block] == ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"]
    error_message = "Nodes must get a sixteenth of the range in each zone."
  }
  assert {
    condition     = [for zone in var.availability_zones : aws_subnet.database[zone].cidr_block] == ["10.0.248.0/24", "10.0.249.0/24", "10.0.250.0/24"]
    error_message = "Databases must get subnets of their own."
  }
  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.private), values(aws_subnet.public), values(aws_subnet.database)) : coalesce(subnet.map_public_ip_on_launch, false) == false])
    error_message = "No subnet may give out public addresses."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.tags["kubernetes.io/role/elb"] == "1"]) && alltrue([for subnet in aws_subnet.private : subnet.tags["kubernetes.io/role/internal-elb"] == "1"])
    error_message = "Without these tags EKS Auto Mode finds no subnet for load balancers."
  }
}

run "each_zone_has_its_own_way_out" {
  command = plan

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.private) == 3
    error_message = "The loss of one zone must not cut the others off."
  }
  assert {
    condition     = length(aws_route_table_association.database) == 3 && length(aws_route_table_association.public) == 3
    error_message = "Subnets without a table of their own would share the VPC's main one."
  }
}

run "image_layers_do_not_go_through_nat" {
  command = plan

  assert {
    condition     = aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-central-1.s3" && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "S3 must be reached inside AWS, in the region of the zones."
  }
}

run "one_nat_for_trials" {
  command = plan
  variables { single_nat = true }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-central-1a"] && length(aws_route.private) == 3
    error_message = "One NAT gateway must serve all zones."
  }
}

run "flows_are_logged_and_encrypted" {
  command = plan

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.flow.retention_in_days == 365
    error_message = "All flows must be logged, encrypted, for a year."
  }
}

run "a_smaller_range_is_cut_alike" {
  command = plan
  variables { cidr = "172.16.0.0/18" }

  assert {
    condition     = aws_subnet.private["eu-central-1b"].cidr_block == "172.16.4.0/22" && aws_subnet.public["eu-central-1a"].cidr_block == "172.16.60.0/26"
    error_message = "Subnets must be shares of the range, whatever its size."
  }
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room" }
  expect_failures = [var.name]
}

run "a_single_zone" {
  command = plan
  variables { availability_zones = ["eu-central-1a"] }
  expect_failures = [var.availability_zones]
}

run "one_zone_twice" {
  command = plan
  variables { availability_zones = ["eu-central-1a", "eu-central-1a"] }
  expect_failures = [var.availability_zones]
}

run "a_region_is_no_zone" {
  command = plan
  variables { availability_zones = ["eu-central-1", "eu-west-1"] }
  expect_failures = [var.availability_zones]
}

run "another_clouds_zones" {
  command = plan
  variables { availability_zones = ["europe-west4-a", "europe-west4-b"] }
  expect_failures = [var.availability_zones]
}

run "zones_of_two_regions" {
  command = plan
  variables { availability_zones = ["eu-central-1a", "eu-west-1a"] }
  expect_failures = [var.availability_zones]
}

run "range_that_is_none" {
  command = plan
  variables { cidr = "10.0.0.0" }
  expect_failures = [var.cidr]
}

run "range_too_small_for_pods" {
  command = plan
  variables { cidr = "10.0.0.0/24" }
  expect_failures = [var.cidr]
}

run "range_that_aws_refuses" {
  command = plan
  variables { cidr = "10.0.0.0/8" }
  expect_failures = [var.cidr]
}

run "retention_that_cloudwatch_does_not_know" {
  command = plan
  variables { log_retention_days = 100 }
  expect_failures = [var.log_retention_days]
}

run "alias_in_place_of_the_key" {
  command = plan
  variables { kms_key_arn = "alias/slipway" }
  expect_failures = [var.kms_key_arn]
}

# Beijing belongs to a partition with other ARNs.
run "zones_of_another_partition" {
  command = plan
  variables { availability_zones = ["cn-north-1a", "cn-north-1b"] }
  expect_failures = [var.availability_zones]
}

run "zones_of_a_region_that_does_not_exist" {
  command = plan
  variables { availability_zones = ["eu-east-9a", "eu-east-9b"] }
  expect_failures = [var.availability_zones]
}
