variable "project_id" {
  description = "Google Cloud project that holds the database."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  description = "Region of the database: the cluster's."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Write a Google Cloud region such as europe-west4: no zone (europe-west4-a) and no other cloud's region (eu-west-1)."
  }

  validation {
    condition     = !var.region_check || contains(local.regions.names, var.region)
    error_message = "${var.region} is not known to have ${local.regions.service} (${local.regions.source}, ${local.regions.date}). Choose one of ${join(", ", local.regions.names)}; if it came there later, set region_check = false."
  }
}

variable "region_check" {
  description = "Refuses a region that `../regions.yaml` does not list for the service. False takes your word for one that is newer than the list."
  type        = bool
  default     = true
  nullable    = false
}

variable "name" {
  description = "Prefix of the instance's name; four hexadecimal digits are added."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,58}[a-z0-9])?$", var.name))
    error_message = "Write at most 60 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "network_id" {
  description = "VPC in which the database gets its private address: output managed_services_network_id of gcp/network."
  type        = string

  validation {
    condition     = length(var.network_id) > 0
    error_message = "Name a VPC that is peered with Google's service network. gcp/network makes one."
  }
}

variable "database_version" {
  description = "PostgreSQL's version as Cloud SQL writes it."
  type        = string
  default     = "POSTGRES_18"

  validation {
    condition     = contains(["POSTGRES_15", "POSTGRES_16", "POSTGRES_17", "POSTGRES_18"], var.database_version)
    error_message = "Write POSTGRES_15 to POSTGRES_18. Before 15, every role may create objects in the schema public."
  }
}

variable "tier" {
  description = "Machine of the instance: db-custom-CPUS-MEGABYTES."
  type        = string
  default     = "db-custom-1-3840"

  validation {
    condition     = can(regex("^db-(custom-[0-9]+-[0-9]+|f1-micro|g1-small)$", var.tier))
    error_message = "Write db-custom-CPUS-MEGABYTES, for example db-custom-2-7680, or the shared db-f1-micro or db-g1-small. Tiers db-perf-optimized are of another edition."
  }
}

variable "high_availability" {
  description = "Whether there is a standby instance in another zone. It doubles the price."
  type        = bool
  default     = true
}

variable "disk_gb" {
  description = "Size of the disk at the beginning, in GB. It grows by itself."
  type        = number
  default     = 20

  validation {
    condition     = var.disk_gb >= 10
    error_message = "Write 10 or more: Cloud SQL has no smaller disks."
  }
}

variable "disk_limit_gb" {
  description = "Size in GB beyond which the disk does not grow. A disk never shrinks."
  type        = number
  default     = 200

  validation {
    condition     = var.disk_limit_gb >= var.disk_gb
    error_message = "The limit must not be less than disk_gb, the size at the beginning."
  }
}

variable "max_connections" {
  description = "Connections that the server takes. Every agent's pod, ingestion Job and gateway keeps a few."
  type        = number
  default     = 200

  validation {
    condition     = var.max_connections >= 50 && var.max_connections <= 5000
    error_message = "Write 50 to 5000."
  }
}

variable "database" {
  description = "Name of the database."
  type        = string
  default     = "slipway"

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.database)) && !contains(["postgres", "template0", "template1", "cloudsqladmin"], var.database)
    error_message = "Write at most 63 lower-case letters, digits and underscores, and none of Postgres's or Google's own databases."
  }
}

variable "admin_user" {
  description = "Role that the operator signs in with."
  type        = string
  default     = "slipway"

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.admin_user)) && !startswith(var.admin_user, "pg_") && !startswith(var.admin_user, "cloudsql")
    error_message = "Write at most 63 lower-case letters, digits and underscores; pg_ and cloudsql are reserved beginnings."
  }
}

variable "retained_backups" {
  description = "How many daily backups are kept."
  type        = number
  default     = 14

  validation {
    condition     = var.retained_backups >= 7 && var.retained_backups <= 365
    error_message = "Write 7 to 365: point-in-time recovery over a week needs a week's backups."
  }
}

variable "allow_public" {
  description = "Whether the instance gets a public address in addition to its private one."
  type        = bool
  default     = false
}

variable "public_networks" {
  description = "Public ranges, by name, that may reach the public address."
  type        = map(string)
  default     = {}

  validation {
    condition     = var.allow_public || length(var.public_networks) == 0
    error_message = "A database that public ranges reach is refused unless allow_public = true says that it is meant."
  }

  validation {
    condition     = alltrue([for cidr in values(var.public_networks) : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "Write ranges in CIDR form, for example {office = \"203.0.113.0/24\"}. The whole internet (/0) is refused."
  }
}

variable "kms_key" {
  description = "Id of a Cloud KMS key that encrypts the data; null for Google's own encryption. Cannot be changed later."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether both Terraform and Google refuse to delete the instance."
  type        = bool
  default     = true
}
