variable "name" {
  description = "Name of the cluster and prefix of the related names."
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
  description = "Id of the subnet of the nodes, with a NAT gateway: an output of the network module."
  type        = string

  validation {
    condition     = can(regex("/virtualNetworks/[^/]+/subnets/[^/]+$", var.subnet_id))
    error_message = "subnet_id must be the id of a subnet (.../virtualNetworks/NAME/subnets/NAME): write module.network.nodes_subnet_id."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes; Azure picks and moves the patch."
  type        = string
  default     = "1.34"

  validation {
    condition     = can(regex("^1\\.(3[4-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be 1.34 or newer, without the patch: Slipway's chart refuses older clusters."
  }
}

variable "admin_group_ids" {
  description = "Object ids of the Entra groups whose members administer the cluster. There are no local accounts."
  type        = list(string)

  validation {
    condition     = length(var.admin_group_ids) > 0 && alltrue([for id in var.admin_group_ids : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", id))])
    error_message = "admin_group_ids must hold at least one object id of an Entra group (a UUID): `az ad group show --group NAME --query id`."
  }
}

variable "api_access_ranges" {
  description = "CIDR ranges that reach the API server over the internet. Empty: the API server has a private address only, and Terraform must run inside the network."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.api_access_ranges : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "api_access_ranges must be CIDR ranges such as 203.0.113.0/28, and never the whole internet (/0)."
  }
}

variable "system_vm_size" {
  description = "Size of the nodes of the system pool, which runs Azure's own pods only."
  type        = string
  default     = "Standard_D2ds_v5"
}

variable "vm_size" {
  description = "Size of the nodes that run Slipway and agents."
  type        = string
  default     = "Standard_D4ds_v5"
}

variable "node_count" {
  description = "Fewest and most nodes for Slipway and agents; the autoscaler moves between them."
  type        = object({ min = number, max = number })
  default     = { min = 2, max = 6 }

  validation {
    condition     = var.node_count.min >= 1 && var.node_count.max >= var.node_count.min && var.node_count.max <= 1000
    error_message = "node_count.min must be 1 or more, and node_count.max at least min and at most 1000."
  }
}

variable "sku_tier" {
  description = "Standard gives the API server an uptime guarantee; Free does not."
  type        = string
  default     = "Standard"

  validation {
    condition     = contains(["Free", "Standard", "Premium"], var.sku_tier)
    error_message = "sku_tier must be Free, Standard or Premium."
  }
}

variable "logs" {
  description = "Log Analytics workspace for the API server's audit log and the nodes' logs. Null: none are kept."
  type        = object({ workspace_id = string })
  default     = null
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
