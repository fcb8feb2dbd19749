# Cloud SQL for PostgreSQL, without a public address unless it is asked for in two places.

# Google keeps the name of a deleted instance for a week, so a name that is made again needs a new ending.
resource "random_id" "suffix" {
  byte_length = 2
}

resource "random_password" "admin" {
  length  = 40
  special = false # it is part of a URL
}

resource "google_sql_database_instance" "this" {
  # checkov:skip=CKV_GCP_6: ENCRYPTED_ONLY refuses clear text; client certificates are not what the chart's DSN carries
  # checkov:skip=CKV_GCP_108: looking up each client's name slows connections down, and pods have none
  # checkov:skip=CKV_GCP_109: the operator's CREATE ROLE holds a password, which must not be logged when it fails
  # checkov:skip=CKV_GCP_110: an audit log of statements would hold questions, answers and passwords
  # checkov:skip=CKV_GCP_111: the operator's CREATE ROLE holds a password, which must not be logged
  # checkov:skip=CKV2_GCP_13: durations without statements tell nothing
  project             = var.project_id
  region              = var.region
  name                = "${var.name}-${random_id.suffix.hex}"
  database_version    = var.database_version
  encryption_key_name = var.kms_key
  deletion_protection = var.deletion_protection

  settings {
    edition                     = "ENTERPRISE"
    tier                        = var.tier
    availability_type           = var.high_availability ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = var.disk_gb
    disk_autoresize             = true
    disk_autoresize_limit       = var.disk_limit_gb
    deletion_protection_enabled = var.deletion_protection

    ip_configuration {
      ipv4_enabled    = var.allow_public
      private_network = var.network_id
      ssl_mode        = "ENCRYPTED_ONLY"

      dynamic "authorized_networks" {
        for_each = var.public_networks
        content {
          name  = authorized_networks.key
          value = authorized_networks.value
        }
      }
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "01:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = var.retained_backups
      }
    }

    maintenance_window {
      day          = 7
      hour         = 3
      update_track = "stable"
    }

    # What happened to the server is logged; statements are not, not even those that define or fail: the operator's
    # CREATE ROLE holds a password.
    database_flags {
      name  = "max_connections"
      value = tostring(var.max_connections)
    }

    database_flags {
      name  = "log_checkpoints"
      value = "on"
    }

    database_flags {
      name  = "log_connections"
      value = "on"
    }

    database_flags {
      name  = "log_disconnections"
      value = "on"
    }

    database_flags {
      name  = "log_lock_waits"
      value = "on"
    }

    database_flags {
      name  = "log_temp_files"
      value = "0"
    }

    database_flags {
      name  = "log_min_messages"
      value = "warning"
    }

    database_flags {
      name  = "log_min_duration_statement"
      value = "-1"
    }

    database_flags {
      name  = "log_min_error_statement"
      value = "panic"
    }

    database_flags {
      name  = "log_statement"
      value = "none"
    }
  }
}

resource "google_sql_database" "this" {
  project  = var.project_id
  instance = google_sql_database_instance.this.name
  name     = var.database
  # Postgres refuses to drop a database that is in use; it goes with its instance.
  deletion_policy = "ABANDON"
}

# Users that are made through Google's interface may create roles and databases, as the operator's role must.
resource "google_sql_user" "admin" {
  project  = var.project_id
  instance = google_sql_database_instance.this.name
  name     = var.admin_user
  password = random_password.admin.result
  # Postgres refuses to drop a role that owns something; it goes with its instance.
  deletion_policy = "ABANDON"
}
