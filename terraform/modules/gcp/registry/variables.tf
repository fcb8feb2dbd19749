variable "project_id" {
  description = "Google Cloud project that holds the registry."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  description = "Region of the registry. Near the cluster, images are pulled faster and for nothing."
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
  description = "Name of the repository."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.name))
    error_message = "Write at most 63 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "readers" {
  description = "Who may pull, by a name of your choice: output node_service_account_member of gcp/cluster."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.readers) : can(regex("^(serviceAccount|user|group|principal|principalSet):", member))])
    error_message = "Write IAM members such as {nodes = \"serviceAccount:nodes@PROJECT.iam.gserviceaccount.com\"}. allUsers and allAuthenticatedUsers are refused."
  }
}

variable "writers" {
  description = "Who may push, by a name of your choice: the pipeline's service account."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.writers) : can(regex("^(serviceAccount|user|group|principal|principalSet):", member))])
    error_message = "Write IAM members such as {nodes = \"serviceAccount:nodes@PROJECT.iam.gserviceaccount.com\"}. allUsers and allAuthenticatedUsers are refused."
  }
}

variable "keep_versions" {
  description = "How many of the newest versions of each image are kept, however old they are."
  type        = number
  default     = 20

  validation {
    condition     = var.keep_versions >= 2 && floor(var.keep_versions) == var.keep_versions
    error_message = "Keep at least 2 versions: going back needs the one before."
  }
}

variable "delete_after_days" {
  description = "After how many days other versions are deleted."
  type        = number
  default     = 90

  validation {
    condition     = var.delete_after_days >= 7
    error_message = "Write 7 days or more: a version may be in use longer than it is new."
  }
}

variable "kms_key" {
  description = "Id of a Cloud KMS key that encrypts the images; null for Google's own encryption."
  type        = string
  default     = null
}
