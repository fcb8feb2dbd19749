# RDS for PostgreSQL: the store of one installation. The master user may create roles and schemas, which is what the
# operator needs, and is not a superuser.

locals {
  port   = 5432
  family = "postgres${var.engine_version}"
}

resource "random_password" "master" {
  length = 40
  # Letters and digits only: the password is part of a URL.
  special = false
}

resource "aws_db_subnet_group" "this" {
  name       = "${var.name}-postgres"
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-postgres"
  description = "Postgres of the Slipway installation ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-postgres" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_security_groups

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  description                  = "Postgres from ${each.key}"
}

resource "aws_db_parameter_group" "this" {
  # By prefix: a new major version needs a new group alongside the old one, which the running server still uses.
  name_prefix = "${var.name}-${local.family}-"
  family      = local.family

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # Statements stay out of the logs: CREATE ROLE holds a password, and other statements hold questions and answers.
  dynamic "parameter" {
    for_each = {
      log_statement              = "none"
      log_min_duration_statement = "-1"
      log_min_error_statement    = "panic"
    }

    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

# IAM authentication is off: Slipway signs in with the password of its DSN.
#trivy:ignore:AWS-0176
resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_133: backup_days is 1 or more by its validation; checkov cannot follow it through the platform's object.
  #checkov:skip=CKV_AWS_157: multi_az is on unless an environment says otherwise; a trial needs no standby.
  #checkov:skip=CKV_AWS_118: Enhanced monitoring needs a role of its own and tells of the host, not of Postgres; Performance Insights is on.
  #checkov:skip=CKV_AWS_161: Slipway signs in with the password of its DSN; tokens of IAM last 15 minutes and could not be part of one.
  #checkov:skip=CKV2_AWS_30: Statements hold passwords of roles, questions and answers, so they are not logged.
  identifier     = "${var.name}-postgres"
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class

  db_name  = "slipway"
  username = "slipway"
  password = random_password.master.result
  port     = local.port

  storage_type          = "gp3"
  allocated_storage     = var.storage_gib
  max_allocated_storage = var.max_storage_gib
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  multi_az               = var.multi_az
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = var.publicly_accessible
  parameter_group_name   = aws_db_parameter_group.this.name

  backup_retention_period    = var.backup_days
  copy_tags_to_snapshot      = true
  deletion_protection        = var.deletion_protection
  delete_automated_backups   = !var.deletion_protection
  skip_final_snapshot        = !var.deletion_protection
  final_snapshot_identifier  = var.deletion_protection ? "${var.name}-postgres-final" : null
  auto_minor_version_upgrade = true

  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.kms_key_arn
}
