# What the environments differ in. Values are checked by modules/azure/platform where they are not checked here.

variable "environment" {
  description = "Name of the environment, a part of all names. Its state and its variables are in envs/ENVIRONMENT."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod: the folders below terraform/envs. Make a folder for a further one and add it here."
  }
}

variable "subscription_id" {
  description = "Subscription that the environment lives in."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.subscription_id))
    error_message = "subscription_id must be a UUID: `az account show --query id`."
  }
}

variable "name" {
  description = "Name of the installation, 5 to 20 characters; registry, vault and database take it with an ending, and those are the same for all of Azure. Null: slipway-ENVIRONMENT, which somebody else may have."
  type        = string
  default     = null
}

variable "location" {
  description = "Region of the environment, by its short name."
  type        = string
}

variable "region_check" {
  description = "Refuses a region that is not on the lists in terraform/modules. False takes your word for one that is newer than they are."
  type        = bool
  default     = true
}

variable "kubelogin_mode" {
  description = "How kubelogin gets a token: azurecli for people, workloadidentity or spn for pipelines."
  type        = string
  default     = "azurecli"

  validation {
    condition     = contains(["azurecli", "workloadidentity", "spn", "msi", "azd"], var.kubelogin_mode)
    error_message = "kubelogin_mode must be azurecli, workloadidentity, spn, msi or azd."
  }
}

variable "admin_group_ids" {
  description = "Object ids of the Entra groups whose members administer the cluster."
  type        = list(string)
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
  description = "IPv4 ranges of people and pipelines that reach API server, registry and vault over the internet. Empty: Terraform must run inside the network."
  type        = list(string)
  default     = []
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
  description = "Size of a Redis alongside the installation; null makes none."
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
}

variable "deletion_protection" {
  description = "Locks the database against deletion."
  type        = bool
  default     = true

  validation {
    condition     = var.deletion_protection || var.environment != "prod"
    error_message = "deletion_protection cannot be off in prod. To take production down, write a plan for its data first and change this rule with it."
  }
}

variable "install_slipway" {
  description = "Installs the chart. False where a pipeline installs it, and at the first apply, before there are images to pull."
  type        = bool
  default     = true
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
  description = "Name below domain at which users reach the gateway through Front Door. Null: inside the network only."
  type        = string
  default     = null
}

variable "private_link_location" {
  description = "Region in which Front Door reaches into Private Link. Null: location."
  type        = string
  default     = null
}
