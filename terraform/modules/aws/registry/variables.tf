variable "name" {
  description = "Prefix of all names, so that several installations fit into one account and region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be at most 30 lower-case letters, digits and single hyphens, a letter first: suffixes are added, and a repository's name takes 256."
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

variable "images" {
  description = "What is pushed, a repository each: the four images of the chart, the one for a single container, and the chart."
  type        = set(string)
  default     = ["runtime", "operator", "chroma", "postgres", "standalone", "charts/slipway"]

  validation {
    condition     = length(var.images) > 0 && alltrue([for image in var.images : can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", image))])
    error_message = "images needs one name or more, of lower-case letters and digits, with single dots, hyphens, underscores or slashes between them."
  }
}

variable "keep_images" {
  description = "Images that a repository keeps; older ones are deleted, so roll back no further than that."
  type        = number
  default     = 100

  validation {
    condition     = var.keep_images >= 2 && floor(var.keep_images) == var.keep_images
    error_message = "keep_images must be a whole number, 2 or more: with one there is nothing to roll back to."
  }
}

variable "push_principal_arns" {
  description = "IAM roles that may push, such as the role of the delivery pipeline."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.push_principal_arns : can(regex("^arn:aws:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "push_principal_arns must be ARNs of IAM roles, arn:aws:iam::ACCOUNT:role/NAME; users have keys that do not expire."
  }
}

variable "pull_principal_arns" {
  description = "IAM roles of other accounts that may pull, such as the nodes of another installation."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.pull_principal_arns : can(regex("^arn:aws:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "pull_principal_arns must be ARNs of IAM roles: arn:aws:iam::ACCOUNT:role/NAME."
  }
}

variable "force_delete" {
  description = "Deletes repositories that still hold images."
  type        = bool
  default     = false
}
