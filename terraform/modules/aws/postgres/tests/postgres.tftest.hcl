mock_provider "aws" {}
mock_provider "random" {}

variables {
  name                   = "slipway-dev"
  vpc_id                 = "vpc-0a"
  subnet_ids             = ["subnet-0a", "subnet-0b"]
  client_security_groups = { cluster = "sg-0a" }
  kms_key_arn            = "arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-0000-0000-000000000000"
}

run "private_encrypted_and_kept" {
  command = plan

  assert {
    condition     = aws_db_instance.this.publicly_accessible == false && aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == var.kms_key_arn
    error_message = "The database must be private and encrypted with the installation's key."
  }
  assert {
    condition     = aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.multi_az && aws_db_instance.this.backup_retention_period == 14
    error_message = "The database must survive slips and zones."
  }
  assert {
    condition     = { for parameter in aws_db_parameter_group.this.parameter : parameter.name => parameter.value }["rds.force_ssl"] == "1"
    error_message = "Connections without TLS must be refused."
  }
  assert {
    condition     = { for parameter in aws_db_parameter_group.this.parameter : parameter.name => parameter.value }["log_statement"] == "none"
    error_message = "Statements hold passwords and questions, and must not be logged."
  }
  assert {
    condition     = random_password.master.special == false && random_password.master.length == 40
    error_message = "The password is part of a URL, so it must be of letters and digits only."
  }
}

run "only_the_cluster_may_connect" {
  command = plan

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.clients) == ["cluster"] && aws_vpc_security_group_ingress_rule.clients["cluster"].referenced_security_group_id == "sg-0a"
    error_message = "Nobody but the groups that were named may connect."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients["cluster"].from_port == 5432 && aws_vpc_security_group_ingress_rule.clients["cluster"].cidr_ipv4 == null
    error_message = "The rule must be for Postgres' port and for a group, not for a range."
  }
}

# Applied to the mock, so that the server has an address.
run "the_dsn_is_what_the_operator_reads" {
  command = apply

  override_resource {
    target = aws_db_instance.this
    values = { address = "slipway-dev-postgres.abc.eu-central-1.rds.amazonaws.com" }
  }
  override_resource {
    target = random_password.master
    values = { result = "s3cret" }
  }

  assert {
    condition     = nonsensitive(output.dsn) == "postgresql://slipway:s3cret@slipway-dev-postgres.abc.eu-central-1.rds.amazonaws.com:5432/slipway?sslmode=require"
    error_message = "The DSN must name user, password, host, port, database and sslmode, and nothing else."
  }
}

run "a_public_one_if_that_is_meant" {
  command = plan
  variables {
    publicly_accessible = true
    allow_public        = true
  }

  assert {
    condition     = aws_db_instance.this.publicly_accessible
    error_message = "Who says it twice gets it."
  }
}

run "public_by_a_slip" {
  command = plan
  variables { publicly_accessible = true }
  expect_failures = [var.publicly_accessible]
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room" }
  expect_failures = [var.name]
}

run "missing_network" {
  command = plan
  variables { vpc_id = "" }
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

run "a_postgres_without_pgvector" {
  command = plan
  variables { engine_version = "12" }
  expect_failures = [var.engine_version]
}

run "an_ec2_type" {
  command = plan
  variables { instance_class = "t4g.medium" }
  expect_failures = [var.instance_class]
}

run "a_disk_that_rds_refuses" {
  command = plan
  variables { storage_gib = 5 }
  expect_failures = [var.storage_gib]
}

run "no_room_to_grow" {
  command = plan
  variables { max_storage_gib = 50 }
  expect_failures = [var.max_storage_gib]
}

run "no_backups" {
  command = plan
  variables { backup_days = 0 }
  expect_failures = [var.backup_days]
}

run "without_encryption" {
  command = plan
  variables { sslmode = "disable" }
  expect_failures = [var.sslmode]
}

run "alias_in_place_of_the_key" {
  command = plan
  variables { kms_key_arn = "alias/slipway" }
  expect_failures = [var.kms_key_arn]
}
