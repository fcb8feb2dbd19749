variable "domain" {
  description = "Domain of the zone, below one that you own: agents.example.com."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain)) && length(var.domain) <= 253
    error_message = "domain must be a full DNS name in lower case without a dot at the end, for example agents.example.com."
  }
}

variable "resource_group_name" {
  description = "Resource group that holds everything made here."
  type        = string

  validation {
    condition     = can(regex("^[-A-Za-z0-9_.()]{0,89}[-A-Za-z0-9_()]$", var.resource_group_name))
    error_message = "resource_group_name must be 1 to 90 letters, digits, dots, hyphens, underscores and brackets, and must not end in a dot."
  }
}

variable "certificate_authorities" {
  description = "Authorities that may sign certificates for the domain (CAA). Front Door's managed certificates come from digicert.com."
  type        = list(string)
  default     = ["digicert.com"]

  validation {
    condition     = length(var.certificate_authorities) > 0
    error_message = "certificate_authorities must name at least one authority, for example digicert.com."
  }
}

variable "security_contact" {
  description = "Mail address that authorities write to when somebody else asks for a certificate. Null: none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
