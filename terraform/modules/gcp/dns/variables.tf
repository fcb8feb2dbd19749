variable "project_id" {
  description = "Google Cloud project that holds the zone, the address and the certificates."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "name" {
  description = "Prefix of all names, so that several installations fit into one project."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "Write at most 40 lower-case letters, digits and hyphens, beginning with a letter: suffixes are added, and Google takes 63."
  }
}

variable "domain" {
  description = "Domain of the zone that is made. The domain above has to delegate it to the output name_servers."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.domain)) && length(var.domain) <= 253
    error_message = "Write a domain in lower case without a dot at the end, for example agents.example.com."
  }
}

variable "hostname" {
  description = "Hostname of the gateway: the domain itself, or a name in it."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.hostname)) && length(var.hostname) <= 253
    error_message = "Write a hostname in lower case without scheme or path, for example agents.example.com."
  }

  validation {
    condition     = var.hostname == var.domain || endswith(var.hostname, ".${var.domain}")
    error_message = "The hostname must be the domain or end in it: its record is written into the domain's zone."
  }
}

variable "additional_hostnames" {
  description = "Further names that get certificates, for example one that fails over between clouds. Where they are outside the domain, write the output dns_authorization_records into their own zone."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for host in var.additional_hostnames : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$", host)) && length(host) <= 253])
    error_message = "Write hostnames in lower case without scheme or path, for example agents.example.com."
  }

  validation {
    condition     = !contains(var.additional_hostnames, var.hostname)
    error_message = "The hostname itself is always served: leave it out here."
  }
}

variable "ttl_seconds" {
  description = "How long resolvers may keep the gateway's address."
  type        = number
  default     = 300

  validation {
    condition     = var.ttl_seconds >= 30 && var.ttl_seconds <= 86400
    error_message = "Write 30 to 86400 seconds."
  }
}
