variable "project_id" {
  description = "Google Cloud project that holds the secrets."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  description = "Region in which the secrets are kept."
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
  description = "Prefix of the secrets' ids."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z]([a-zA-Z0-9-]{0,62}[a-zA-Z0-9])?$", var.name))
    error_message = "Write at most 64 letters, digits and hyphens, beginning with a letter."
  }
}

variable "secrets" {
  description = "The secrets by name. They are stored in Terraform's state, too."
  type        = map(string)
  sensitive   = true

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[a-zA-Z0-9_-]{1,64}$", name))])
    error_message = "Name secrets with at most 64 letters, digits, hyphens and underscores."
  }
}

variable "readers" {
  description = "Who may read which secret, by a name of your choice. A pod is principal://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog/subject/ns/NAMESPACE/sa/NAME."
  type        = map(object({ secret = string, member = string }))
  default     = {}

  validation {
    condition     = alltrue([for reader in values(var.readers) : contains(nonsensitive(keys(var.secrets)), reader.secret)])
    error_message = "Each reader's secret must be one of the names in secrets."
  }

  validation {
    condition     = alltrue([for reader in values(var.readers) : can(regex("^(serviceAccount|user|group|principal|principalSet):", reader.member))])
    error_message = "Write IAM members such as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com. allUsers and allAuthenticatedUsers are refused."
  }
}

variable "kms_key" {
  description = "Id of a Cloud KMS key that encrypts the secrets; null for Google's own encryption."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the secrets."
  type        = bool
  default     = true
}
