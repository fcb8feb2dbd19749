variable "project_id" {
  description = "Google Cloud project that holds the instance."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  description = "Region of the instance: the cluster's."
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
  description = "Name of the instance."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "Write at most 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "network_id" {
  description = "VPC in which the instance gets its address: output managed_services_network_id of gcp/network."
  type        = string

  validation {
    condition     = length(var.network_id) > 0
    error_message = "Name a VPC that is peered with Google's service network. gcp/network makes one."
  }
}

variable "memory_gb" {
  description = "Memory in GB."
  type        = number
  default     = 1

  validation {
    condition     = var.memory_gb >= 1 && var.memory_gb <= 300 && floor(var.memory_gb) == var.memory_gb
    error_message = "Write a whole number of GB from 1 to 300."
  }
}

variable "high_availability" {
  description = "Whether there is a standby replica in another zone. It doubles the price."
  type        = bool
  default     = true
}

variable "kms_key" {
  description = "Id of a Cloud KMS key that encrypts the snapshots; null for Google's own encryption."
  type        = string
  default     = null
}
