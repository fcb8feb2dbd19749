variable "name" {
  description = "Prefix of all names, so that several installations fit into one account and region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be at most 30 lower-case letters, digits and single hyphens, a letter first: suffixes are added, and an IAM policy's name takes 128."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts what is made here: an output of aws/encryption."
  type        = string

  validation {
    condition     = can(regex("^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, not its id or alias."
  }
}

variable "secrets" {
  description = "By name, what the secret is for."
  type        = map(string)

  validation {
    condition     = length(var.secrets) > 0
    error_message = "secrets is empty. Name one or more, for example { database-dsn = \"Connection string of the store\" }."
  }

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[a-z0-9][a-z0-9-]{0,62}$", name))])
    error_message = "Names of secrets must be at most 63 lower-case letters, digits and hyphens."
  }
}

variable "values" {
  description = "Values of secrets, by name. They are stored in the state; leave out those that are written by hand."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = length(setsubtract(nonsensitive(keys(var.values)), keys(var.secrets))) == 0
    error_message = "values holds a name that secrets does not: every value needs a secret of the same name."
  }
}

variable "recovery_window_days" {
  description = "Days in which a deleted secret can be had back; its name is taken for so long. 0 deletes at once."
  type        = number
  default     = 30

  validation {
    condition     = var.recovery_window_days == 0 || (var.recovery_window_days >= 7 && var.recovery_window_days <= 30)
    error_message = "recovery_window_days must be 0 or from 7 to 30: AWS takes no other."
  }
}
