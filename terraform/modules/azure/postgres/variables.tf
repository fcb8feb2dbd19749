variable "name" {
  description = "Name of the server, the same for all of Azure: NAME.postgres.database.azure.com."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,61}[a-z0-9])$", var.name))
    error_message = "name must be 2 to 63 characters: lower-case letters, digits and hyphens, a letter first and no hyphen last."
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

variable "network" {
  description = "Subnet delegated to PostgreSQL flexible servers, and the virtual network that resolves the server's private address: outputs of the network module. Null only with allow_public = true."
  type        = object({ subnet_id = string, virtual_network_id = string })
  default     = null

  validation {
    condition     = var.network != null || var.allow_public
    error_message = "network is missing: write { subnet_id = module.network.postgres_subnet_id, virtual_network_id = module.network.virtual_network_id }, or say allow_public = true for a server with a public address."
  }

  validation {
    condition     = var.network == null || !var.allow_public
    error_message = "allow_public = true contradicts network: a server is either in a network or public. Leave one of them out."
  }

  validation {
    condition     = var.network == null ? true : can(regex("/subnets/[^/]+$", var.network.subnet_id)) && can(regex("/virtualNetworks/[^/]+$", var.network.virtual_network_id))
    error_message = "network.subnet_id must be the id of a subnet (.../subnets/NAME), and network.virtual_network_id that of a virtual network (.../virtualNetworks/NAME)."
  }
}

variable "allow_public" {
  description = "Allows a server with a public address, reached from public_ranges only. A server cannot be moved into a network later."
  type        = bool
  default     = false
  nullable    = false
}

variable "public_ranges" {
  description = "IPv4 ranges that reach a public server, by a name of your choice: { office = { start = \"203.0.113.1\", end = \"203.0.113.9\" } }."
  type        = map(object({ start = string, end = string }))
  default     = {}

  validation {
    condition     = length(var.public_ranges) == 0 || var.allow_public
    error_message = "public_ranges makes the database public: say so with allow_public = true, or leave it empty."
  }

  validation {
    condition     = alltrue([for range in values(var.public_ranges) : range.start != "0.0.0.0" && range.end != "255.255.255.255"])
    error_message = "public_ranges must not begin at 0.0.0.0 (which Azure reads as \"all of Azure\") nor end at 255.255.255.255. Name the addresses that need the database."
  }
}

variable "postgres_version" {
  description = "Major version of PostgreSQL."
  type        = string
  default     = "17"

  validation {
    condition     = contains(["15", "16", "17"], var.postgres_version)
    error_message = "postgres_version must be 15, 16 or 17."
  }
}

variable "database" {
  description = "Name of the database."
  type        = string
  default     = "slipway"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database)) && !contains(["postgres", "azure_maintenance", "azure_sys"], var.database)
    error_message = "database must be 1 to 63 lower-case letters, digits and underscores, a letter first, and none of Azure's own: postgres, azure_maintenance, azure_sys."
  }
}

variable "sku_name" {
  description = "Size of the server: B_... (burstable, for trials), GP_... or MO_..."
  type        = string
  default     = "GP_Standard_D2ds_v5"

  validation {
    condition     = can(regex("^(B|GP|MO)_Standard_[A-Za-z0-9_]+$", var.sku_name))
    error_message = "sku_name must be B_, GP_ or MO_ and a size, for example B_Standard_B2s or GP_Standard_D2ds_v5."
  }
}

variable "storage_mb" {
  description = "Size of the disk in MiB: 32768 times a power of two. It grows by itself and never shrinks."
  type        = number
  default     = 65536

  validation {
    condition     = contains([32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216], var.storage_mb)
    error_message = "storage_mb must be one of 32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216."
  }
}

variable "high_availability" {
  description = "Keeps a standby in another zone; doubles the price."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.high_availability || !startswith(var.sku_name, "B_")
    error_message = "high_availability needs a GP_ or MO_ size in sku_name: burstable servers have no standby."
  }
}

variable "backup_retention_days" {
  description = "Days that the server can be restored to."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_retention_days >= 7 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be 7 to 35."
  }
}

variable "geo_redundant_backup" {
  description = "Copies backups to the paired region. Fixed when the server is made."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Locks the server: it is deleted only after the lock."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
