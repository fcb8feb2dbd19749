variable "name" {
  description = "Name of the registry, the same for all of Azure, without its hyphens: NAME.azurecr.io."
  type        = string

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]*[a-z0-9]$", var.name)) && length(replace(var.name, "-", "")) >= 5 && length(replace(var.name, "-", "")) <= 50
    error_message = "name must be 5 to 50 lower-case letters and digits (hyphens are left out), and not taken by anybody else in Azure."
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

variable "subnet_id" {
  description = "Id of the subnet for the registry's private endpoint: an output of the network module."
  type        = string

  validation {
    condition     = can(regex("/virtualNetworks/[^/]+/subnets/[^/]+$", var.subnet_id))
    error_message = "subnet_id must be the id of a subnet (.../virtualNetworks/NAME/subnets/NAME): write module.network.endpoints_subnet_id."
  }
}

variable "private_dns_zone_id" {
  description = "Id of the private DNS zone privatelink.azurecr.io, linked to the virtual network. Azure prescribes its name, so a network has one of it for all."
  type        = string

  validation {
    condition     = endswith(var.private_dns_zone_id, "/privateDnsZones/privatelink.azurecr.io")
    error_message = "private_dns_zone_id must be the id of a private DNS zone named privatelink.azurecr.io (.../privateDnsZones/privatelink.azurecr.io)."
  }
}

variable "push_ranges" {
  description = "IPv4 ranges of pipelines that push from outside the network. Empty: the registry has no public address."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.push_ranges : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "push_ranges must be CIDR ranges such as 203.0.113.0/28, and never the whole internet (/0)."
  }
}

variable "pull_principal_ids" {
  description = "Principals that may pull, by a name of your choice: { cluster = module.cluster.kubelet_principal_id }."
  type        = map(string)
  default     = {}
}

variable "push_principal_ids" {
  description = "Principals that may push, by a name of your choice: the identity of the delivery pipeline."
  type        = map(string)
  default     = {}
}

variable "untagged_retention_days" {
  description = "Days until manifests without a tag are deleted."
  type        = number
  default     = 30

  validation {
    condition     = var.untagged_retention_days >= 0 && var.untagged_retention_days <= 365
    error_message = "untagged_retention_days must be 0 to 365."
  }
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
