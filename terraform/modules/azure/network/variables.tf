variable "name" {
  description = "Prefix of the names of everything made here, so that a root may use the module twice."
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

variable "location" {
  description = "Azure region with availability zones, by its short name."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.location))
    error_message = "location must be a region's short name, such as westeurope or eastus2, not the name that people read (West Europe)."
  }

  validation {
    condition     = !var.region_check || contains(local.regions.names, var.location)
    error_message = "${var.location} is not known to have ${local.regions.service} (${local.regions.source}, ${local.regions.date}). Choose one of ${join(", ", local.regions.names)}; if it came there later, set region_check = false."
  }
}

variable "region_check" {
  description = "Refuses a region that `../regions.yaml` does not list for the service. False takes your word for one that is newer than the list."
  type        = bool
  default     = true
  nullable    = false
}

variable "cidr" {
  description = "IPv4 range of the virtual network, /16 to /20; the subnets are cut from it. Within 10.0.0.0/8."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && can(regex("^10\\..*/(16|17|18|19|20)$", var.cidr))
    error_message = "cidr must be an IPv4 range from /16 to /20 within 10.0.0.0/8, for example 10.20.0.0/16: pods and Services of the cluster use 192.168.0.0/16 and 172.31.0.0/16."
  }
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
