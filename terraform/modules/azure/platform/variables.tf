variable "name" {
  description = "Name of the installation and prefix of all names, with those of registry, vault and database, which are the same for all of Azure."
  type        = string

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{3,18}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 5 to 20 characters, lower-case letters, digits and single hyphens, a letter first and no hyphen last: NAME-kv has to fit into the 24 characters of a vault's name."
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
  description = "Entra tenant of the subscription."
  type        = string
}

variable "admin_group_ids" {
  description = "Object ids of the Entra groups whose members administer the cluster."
  type        = list(string)
}

variable "deployer_principal_id" {
  description = "Object id of who applies this; it may write secrets and install into the cluster."
  type        = string
}

variable "push_principal_ids" {
  description = "Principals that may push images, by a name of your choice."
  type        = map(string)
  default     = {}
}

variable "cidr" {
  description = "IPv4 range of the virtual network, /16 to /20, within 10.0.0.0/8."
  type        = string
  default     = "10.20.0.0/16"
}

variable "access_ranges" {
  description = "IPv4 ranges of people and pipelines that reach API server, registry and vault over the internet. Empty: all of them are private, and Terraform must run inside the network."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.access_ranges : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "access_ranges must be CIDR ranges such as 203.0.113.0/28, and never the whole internet (/0)."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
  default     = "1.34"
}

variable "cluster" {
  description = "Size of the cluster; what is left out is chosen as for production."
  type = object({
    vm_size  = optional(string, "Standard_D4ds_v5")
    min      = optional(number, 2)
    max      = optional(number, 6)
    sku_tier = optional(string, "Standard")
  })
  default  = {}
  nullable = false
}

variable "database" {
  description = "Size and safety of Postgres; what is left out is chosen as for production."
  type = object({
    sku_name             = optional(string, "GP_Standard_D2ds_v5")
    storage_mb           = optional(number, 65536)
    high_availability    = optional(bool, true)
    backup_days          = optional(number, 14)
    geo_redundant_backup = optional(bool, true)
  })
  default  = {}
  nullable = false
}

variable "redis" {
  description = "Size of a Redis alongside the installation; null makes none, since only agents with spec.sessions.redis use it."
  type = object({
    sku_name          = optional(string, "Balanced_B1")
    high_availability = optional(bool, true)
  })
  default = null
}

variable "log_retention_days" {
  description = "Days that the API server's audit log and the nodes' logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "log_retention_days must be 30 to 730."
  }
}

variable "deletion_protection" {
  description = "Locks the database against deletion."
  type        = bool
  default     = true
  nullable    = false
}

variable "install_slipway" {
  description = "Installs the chart. False where a pipeline installs it, and at the first apply, before there are images to pull."
  type        = bool
  default     = true
  nullable    = false
}

variable "image_tag" {
  description = "Tag of all images. Null takes the chart's appVersion."
  type        = string
  default     = null
}

variable "agent_namespaces" {
  description = "Namespaces for agents."
  type        = set(string)
  default     = []
}

variable "api_keys" {
  description = "Callers of the gateway: what `slipway keys new NAME` prints on standard error. Hashes, never keys."
  type        = list(object({ name = string, sha256 = string }))
  default     = []
}

variable "default_agent" {
  description = "NAMESPACE/NAME of the agent behind POST /agent/chat."
  type        = string
  default     = null
}

variable "gateway_replicas" {
  description = "Pods of the gateway."
  type        = number
  default     = 2
}

variable "domain" {
  description = "Domain of a DNS zone made here, below one that you own. Null makes none."
  type        = string
  default     = null
}

variable "hostname" {
  description = "Name below domain at which users reach the gateway through Front Door. Null: it is reached inside the network only. Set it after the chart is installed."
  type        = string
  default     = null

  validation {
    condition     = var.hostname == null || var.domain != null
    error_message = "hostname needs the zone it is in: write domain = \"example.com\" alongside hostname = \"agents.example.com\"."
  }
}

variable "private_link_location" {
  description = "Region in which Front Door reaches into Private Link. Null: the installation's own, where Front Door offers it."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
