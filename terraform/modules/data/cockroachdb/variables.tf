variable "name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{4,18}[a-z0-9])$", var.name))
    error_message = "name must be 6 to 20 characters (CockroachDB Cloud's limits): lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "cloud" {
  description = "Cloud that the cluster runs in: AWS, GCP or AZURE."
  type        = string

  validation {
    condition     = contains(["AWS", "GCP", "AZURE"], var.cloud)
    error_message = "cloud must be AWS, GCP or AZURE."
  }
}

variable "regions" {
  description = "Regions by the cloud's own names; the first is the primary. Three survive the loss of one."
  type        = list(string)

  validation {
    condition     = length(var.regions) > 0 && length(distinct(var.regions)) == length(var.regions)
    error_message = "regions must hold at least one region, and none twice: [\"eu-central-1\"]."
  }

  validation {
    condition     = length(var.regions) != 2
    error_message = "regions must be one, or three and more: two regions cannot agree when one of them is lost."
  }

  validation {
    condition     = !var.region_check || length(setsubtract(var.regions, local.known)) == 0
    error_message = "${join(" and ", setsubtract(var.regions, local.known))} on ${var.cloud} is not known to have ${local.regions.service} (${local.regions.source}, ${local.regions.date}). Choose one of ${join(", ", local.known)}; if it came there later, set region_check = false."
  }
}

variable "region_check" {
  description = "Refuses a region that `../regions.yaml` does not list for the cloud. False takes your word for one that is newer than the list."
  type        = bool
  default     = true
  nullable    = false
}

variable "nodes_per_region" {
  description = "Nodes in each region."
  type        = number
  default     = 3

  validation {
    condition     = var.nodes_per_region >= 3
    error_message = "nodes_per_region must be 3 or more, so that the cluster outlives a node."
  }
}

variable "virtual_cpus" {
  description = "Cores of a node."
  type        = number
  default     = 4

  validation {
    condition     = contains([4, 8, 16, 32], var.virtual_cpus)
    error_message = "virtual_cpus must be 4, 8, 16 or 32."
  }
}

variable "storage_gib" {
  description = "Disk of a node in GiB."
  type        = number
  default     = 60

  validation {
    condition     = var.storage_gib >= 15
    error_message = "storage_gib must be 15 or more."
  }
}

variable "access_ranges" {
  description = "IPv4 ranges that reach the cluster: the outbound addresses of the installations, by a name of your choice."
  type        = map(string)

  validation {
    condition     = length(var.access_ranges) > 0
    error_message = "access_ranges is empty, so nobody could reach the cluster: write the address that the cluster's network leaves from, { slipway = \"203.0.113.7/32\" }."
  }

  validation {
    condition     = alltrue([for range in values(var.access_ranges) : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "access_ranges must be CIDR ranges such as 203.0.113.7/32, and never the whole internet (/0)."
  }
}

variable "database" {
  description = "Name of the database."
  type        = string
  default     = "slipway"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database))
    error_message = "database must be 1 to 63 lower-case letters, digits and underscores, a letter first."
  }
}

variable "backup_retention_days" {
  description = "Days that the cluster can be restored to."
  type        = number
  default     = 30

  validation {
    condition     = contains([2, 7, 30, 90, 365], var.backup_retention_days)
    error_message = "backup_retention_days must be 2, 7, 30, 90 or 365."
  }
}

variable "deletion_protection" {
  description = "Refuses to delete the cluster."
  type        = bool
  default     = true
  nullable    = false
}
