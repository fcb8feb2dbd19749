variable "name" {
  description = "Prefix of all names, so that several installations fit into one account and region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be at most 30 lower-case letters, digits and single hyphens, a letter first: suffixes are added, and an alias takes 256."
  }
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
