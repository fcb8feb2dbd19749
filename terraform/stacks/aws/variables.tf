variable "environment" {
  description = "Name of the environment, a part of all names. Its state and its variables are in envs/ENVIRONMENT."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod: the folders below terraform/envs. Make a folder for a further one and add it here."
  }
}

variable "account_id" {
  description = "Account that the environment lives in. Every other account is refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the account's 12 digits, in quotes: leading zeros count."
  }
}

variable "region" {
  description = "Region of the environment."
  type        = string
}

variable "region_check" {
  description = "Refuses a region that is not on the lists in terraform/modules. False takes your word for one that is newer than they are."
  type        = bool
  default     = true
}

variable "availability_zones" {
  description = "Two to four zones of the region, by name."
  type        = list(string)
}

variable "cidr" {
  description = "IPv4 range of the VPC."
  type        = string
  default     = "10.0.0.0/16"
}

variable "single_nat" {
  description = "One NAT gateway for all zones. For trials."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days that flow logs and the control plane's logs are kept."
  type        = number
  default     = 365
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
  default     = "1.34"
}

variable "public_access_cidrs" {
  description = "Ranges from which the API server is reached over the internet. Empty: Terraform must run inside the VPC."
  type        = list(string)
  default     = []
}

variable "admin_principal_arns" {
  description = "IAM roles and users that administer the cluster, in addition to the identity that applies."
  type        = set(string)
  default     = []
}

variable "push_principal_arns" {
  description = "IAM roles that may push images, such as the role of the delivery pipeline."
  type        = set(string)
  default     = []
}

variable "deletion_protection" {
  description = "Refuses to delete cluster, database and images."
  type        = bool
  default     = true

  validation {
    condition     = var.deletion_protection || var.environment != "prod"
    error_message = "deletion_protection cannot be off in prod. To take production down, write a plan for its data first and change this rule with it."
  }
}

variable "database" {
  description = "Size and safety of Postgres; what is left out is chosen as for production."
  type = object({
    instance_class  = optional(string, "db.t4g.medium")
    storage_gib     = optional(number, 50)
    max_storage_gib = optional(number, 500)
    multi_az        = optional(bool, true)
    backup_days     = optional(number, 14)
  })
  default = {}
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

variable "ca_bundle_file" {
  description = "Path of a PEM file with every authority to trust, RDS's among them. With it the database's certificate is checked."
  type        = string
  default     = null
}

variable "hostname" {
  description = "Name at which users reach the gateway. Null: it is reached inside the cluster only."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "Id of the public zone of Route 53 that holds hostname."
  type        = string
  default     = null
}
