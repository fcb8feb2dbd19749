variable "name" {
  description = "Name of the vault, the same for all of Azure: NAME.vault.azure.net. A deleted vault keeps its name for 90 days."
  type        = string

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{1,22}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 24 characters (Key Vault's limit): lower-case letters, digits and single hyphens, a letter first and no hyphen last."
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

variable "tenant_id" {
  description = "Entra tenant of the people and identities that use the vault."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.tenant_id))
    error_message = "tenant_id must be a UUID: `az account show --query tenantId`."
  }
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
  description = "Id of the private DNS zone privatelink.vaultcore.azure.net, linked to the virtual network. Azure prescribes its name, so a network has one of it for all."
  type        = string

  validation {
    condition     = endswith(var.private_dns_zone_id, "/privateDnsZones/privatelink.vaultcore.azure.net")
    error_message = "private_dns_zone_id must be the id of a private DNS zone named privatelink.vaultcore.azure.net (.../privateDnsZones/privatelink.vaultcore.azure.net)."
  }
}

variable "access_ranges" {
  description = "IPv4 ranges that reach the vault over the internet, Terraform's among them. Empty: it has a private address only."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.access_ranges : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "access_ranges must be CIDR ranges such as 203.0.113.0/28, and never the whole internet (/0)."
  }
}

variable "writer_principal_ids" {
  description = "Principals that write secrets, by a name of your choice: who applies this, { terraform = data.azurerm_client_config.this.object_id }."
  type        = map(string)

  validation {
    condition     = length(var.writer_principal_ids) > 0
    error_message = "writer_principal_ids must hold the principal that applies this, or the secrets cannot be written."
  }
}

variable "reader_principal_ids" {
  description = "Principals that read secrets, by a name of your choice: { cluster = module.cluster.secrets_provider_principal_id }."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Secrets by name. They are stored in the state as well."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Za-z0-9-]{1,127}$", name))])
    error_message = "Names of secrets must be 1 to 127 letters, digits and hyphens; Key Vault knows no underscores."
  }
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
