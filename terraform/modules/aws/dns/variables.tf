variable "zone_name" {
  description = "Domain of a public zone to make, for example agents.example.com. Its name_servers must then be entered at the parent's registrar. Null: zone_id names one."
  type        = string
  default     = null

  validation {
    condition     = var.zone_name == null ? true : can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.zone_name))
    error_message = "zone_name must be a DNS name in lower case without a dot at its end, for example agents.example.com."
  }

  validation {
    condition     = (var.zone_name == null) != (var.zone_id == null)
    error_message = "Give zone_name (a zone is made) or zone_id (of a zone that is there), one of the two."
  }
}

variable "zone_id" {
  description = "Id of a public zone of Route 53 that is there already. Null: zone_name names the zone to create."
  type        = string
  default     = null

  validation {
    condition     = var.zone_id == null ? true : can(regex("^Z[A-Z0-9]{7,31}$", var.zone_id))
    error_message = "zone_id must be a zone's id such as Z0123456789ABCDEFGHIJ, not its name."
  }
}

variable "hostnames" {
  description = "Names in the certificate, the first one as its subject. All must be in the zone."
  type        = list(string)

  validation {
    condition     = length(var.hostnames) >= 1 && length(var.hostnames) <= 10 && length(distinct(var.hostnames)) == length(var.hostnames)
    error_message = "hostnames needs one to ten different names: ACM's quota is ten."
  }

  validation {
    condition     = alltrue([for name in var.hostnames : can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", name))])
    error_message = "hostnames must be full DNS names in lower case, for example agents.example.com."
  }

  validation {
    condition     = length(try(var.hostnames[0], "")) <= 64
    error_message = "The first of hostnames must be at most 64 characters: a certificate's subject takes no more. Put a shorter one first."
  }

  validation {
    condition     = var.zone_name == null ? true : alltrue([for name in var.hostnames : name == var.zone_name || endswith(name, ".${var.zone_name}")])
    error_message = "hostnames must all be in zone_name: ownership could not be proven for others."
  }
}
