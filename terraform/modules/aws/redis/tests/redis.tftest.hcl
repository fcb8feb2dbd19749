mock_provider "aws" {}
mock_provider "random" {}

variables {
  name                   = "slipway-dev"
  vpc_id                 = "vpc-0a"
  subnet_ids             = ["subnet-0a", "subnet-0b"]
  client_security_groups = { cluster = "sg-0a" }
  kms_key_arn            = "arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-0000-0000-000000000000"
}

run "encrypted_with_a_password_and_a_replica" {
  command = plan

  assert {
    condition     = tobool(aws_elasticache_replication_group.this.at_rest_encryption_enabled) && aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.kms_key_id == var.kms_key_arn
    error_message = "Data must be encrypted at rest and on the wire."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled && aws_elasticache_replication_group.this.num_cache_clusters == 2
    error_message = "A replica in another zone must take over by itself."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients["cluster"].referenced_security_group_id == "sg-0a" && aws_vpc_security_group_ingress_rule.clients["cluster"].to_port == 6379
    error_message = "Only the groups that were named may connect."
  }
}

run "one_node_for_trials" {
  command = plan
  variables { nodes = 1 }

  assert {
    condition     = !aws_elasticache_replication_group.this.automatic_failover_enabled && !aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "ElastiCache refuses fail-over without a replica."
  }
}

# Applied to the mock, so that the primary has an address.
run "the_url_is_encrypted_and_holds_the_password" {
  command = apply

  override_resource {
    target = aws_elasticache_replication_group.this
    values = { primary_endpoint_address = "primary.example.cache.amazonaws.com" }
  }
  override_resource {
    target = random_password.auth
    values = { result = "s3cret-s3cret-s3cret" }
  }

  assert {
    condition     = nonsensitive(output.url) == "rediss://:s3cret-s3cret-s3cret@primary.example.cache.amazonaws.com:6379/0"
    error_message = "The URL must be rediss with the password, the node that takes writes and the port."
  }
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room" }
  expect_failures = [var.name]
}

run "missing_network" {
  command = plan
  variables { vpc_id = "main" }
  expect_failures = [var.vpc_id]
}

run "no_subnets" {
  command = plan
  variables { subnet_ids = [] }
  expect_failures = [var.subnet_ids]
}

run "nobody_may_connect" {
  command = plan
  variables { client_security_groups = {} }
  expect_failures = [var.client_security_groups]
}

run "an_ec2_type" {
  command = plan
  variables { node_type = "t4g.small" }
  expect_failures = [var.node_type]
}

run "too_many_nodes" {
  command = plan
  variables { nodes = 7 }
  expect_failures = [var.nodes]
}

run "snapshots_for_too_long" {
  command = plan
  variables { snapshot_days = 90 }
  expect_failures = [var.snapshot_days]
}

run "alias_in_place_of_the_key" {
  command = plan
  variables { kms_key_arn = "alias/slipway" }
  expect_failures = [var.kms_key_arn]
}
