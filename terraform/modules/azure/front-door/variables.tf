variable "name" {
  description = "Name of the profile and prefix of the related names."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,38}[a-z0-9])$", var.name))
    error_message = "name must be 2 to 40 characters: lower-case letters, digits and hyphens, a letter first and no hyphen last."
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

variable "hostname" {
  description = "Name at which users reach the gateway, below the zone: agents.example.com."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.hostname)) && length(var.hostname) <= 64
    error_message = "hostname must be a full DNS name in lower case of at most 64 characters, which is the limit of a managed certificate."
  }

  validation {
    condition     = endswith(var.hostname, ".${var.zone_name}")
    error_message = "hostname must be below the zone zone_name, for example agents.example.com in the zone example.com; the zone's own name cannot be a CNAME."
  }
}

variable "zone_id" {
  description = "Id of the DNS zone: an output of the dns module."
  type        = string
}

variable "zone_name" {
  description = "Name of the DNS zone: an output of the dns module."
  type        = string
}

variable "zone_resource_group_name" {
  description = "Resource group of the DNS zone, if it is another one."
  type        = string
  default     = null
}

variable "private_link_service_id" {
  description = "Id of the Private Link service in front of the gateway's Service. AKS makes it when the chart is installed with the annotations of modules/azure/platform."
  type        = string

  validation {
    condition     = can(regex("/providers/Microsoft.Network/privateLinkServices/[^/]+$", var.private_link_service_id))
    error_message = "private_link_service_id must end in /providers/Microsoft.Network/privateLinkServices/NAME."
  }
}

variable "private_link_location" {
  description = "Region in which Front Door reaches into Private Link: the origin's own where Front Door offers it, else the nearest."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.private_link_location))
    error_message = "private_link_location must be a region's short name, such as westeurope or eastus2, not the name that people read (West Europe)."
  }

  validation {
    condition     = !var.region_check || contains(local.regions.names, var.private_link_location)
    error_message = "${var.private_link_location} is not known to have ${local.regions.service} (${local.regions.source}, ${local.regions.date}). Choose one of ${join(", ", local.regions.names)}; if it came there later, set region_check = false."
  }
}

variable "region_check" {
  description = "Refuses a region that `../regions.yaml` does not list for the service. False takes your word for one that is newer than the list."
  type        = bool
  default     = true
  nullable    = false
}

variable "firewall_mode" {
  description = "Prevention blocks what the firewall's rules find; Detection only logs it."
  type        = string
  default     = "Prevention"

  validation {
    condition     = contains(["Prevention", "Detection"], var.firewall_mode)
    error_message = "firewall_mode must be Prevention or Detection."
  }
}

variable "requests_per_minute" {
  description = "Requests of one client address in a minute before it is refused with 429."
  type        = number
  default     = 600

  validation {
    condition     = var.requests_per_minute >= 10
    error_message = "requests_per_minute must be 10 or more."
  }
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
