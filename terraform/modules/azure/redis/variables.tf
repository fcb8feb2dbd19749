variable "name" {
  description = "Name of the cache and prefix of the related names."
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

variable "subnet_id" {
  description = "Id of the subnet for the private endpoint: an output of the network module."
  type        = string

  validation {
    condition     = can(regex("/virtualNetworks/[^/]+/subnets/[^/]+$", var.subnet_id))
    error_message = "subnet_id must be the id of a subnet (.../virtualNetworks/NAME/subnets/NAME): write module.network.endpoints_subnet_id."
  }
}

variable "private_dns_zone_id" {
  description = "Id of the private DNS zone privatelink.redis.azure.net, linked to the virtual network. Azure prescribes its name, so a network has one of it for all."
  type        = string

  validation {
    condition     = endswith(var.private_dns_zone_id, "/privateDnsZones/privatelink.redis.azure.net")
    error_message = "private_dns_zone_id must be the id of a private DNS zone named privatelink.redis.azure.net (.../privateDnsZones/privatelink.redis.azure.net)."
  }
}

variable "sku_name" {
  description = "Size: Balanced_B0 (0.5 GB) to Balanced_B1000, or MemoryOptimized_..., ComputeOptimized_..."
  type        = string
  default     = "Balanced_B1"

  validation {
    condition     = can(regex("^(Balanced_B|MemoryOptimized_M|ComputeOptimized_X)[0-9]+$", var.sku_name))
    error_message = "sku_name must be a size of Azure Managed Redis, for example Balanced_B1; Basic, Standard and Premium belong to the older Azure Cache for Redis."
  }
}

variable "high_availability" {
  description = "Keeps a replica; doubles the price."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
