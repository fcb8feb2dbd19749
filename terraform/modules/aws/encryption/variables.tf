variable "name" {
  description = "Prefix of all names, so that several installations fit into one account and region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be at most 30 lower-case letters, digits and single hyphens, a letter first: suffixes are added, and an alias takes 256."
  }
}

variable "account_id" {
  description = "Account that the installation lives in. It is written down and not looked up, so that a plan is the same whoever makes it."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the account's 12 digits, in quotes: leading zeros count."
  }
}

variable "region" {
  description = "Region of the installation, whose log groups may use the key."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region of AWS such as eu-central-1: no zone (eu-central-1a) and no other cloud's region (europe-west4)."
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

variable "deletion_window_days" {
  description = "Days between the key's deletion and its end, in which it can be had back."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "deletion_window_days must be from 7 to 30: AWS takes no other."
  }
}
