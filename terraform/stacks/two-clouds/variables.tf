variable "environment" {
  description = "Name of the environment, a part of all names. Its state and its variables are in envs/ENVIRONMENT."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod: the folders below terraform/envs. Make a folder for a further one and add it here."
  }
}

variable "hostname" {
  description = "The name that users call. The installations get the names aws.HOSTNAME and gcp.HOSTNAME."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.){2,}[a-z]{2,63}$", var.hostname)) && length(var.hostname) <= 60
    error_message = "hostname must be a DNS name in lower case below a zone, at most 60 characters (aws. is put in front, and a certificate's subject takes 64), for example agents.example.com."
  }
}

variable "zone_id" {
  description = "Id of the public zone of Route 53 that holds hostname."
  type        = string
}

variable "primary" {
  description = "The cloud that serves while it can: aws or gcp."
  type        = string
  default     = "aws"

  validation {
    condition     = contains(["aws", "gcp"], var.primary)
    error_message = "primary must be aws or gcp."
  }
}

variable "aws" {
  description = "The installation on AWS: account, region, zones and sizes, as in stacks/aws."
  type = object({
    account_id          = string
    region              = string
    availability_zones  = list(string)
    cidr                = optional(string, "10.0.0.0/16")
    single_nat          = optional(bool, false)
    public_access_cidrs = optional(list(string), [])
    database = optional(object({
      instance_class  = optional(string, "db.t4g.medium")
      storage_gib     = optional(number, 50)
      max_storage_gib = optional(number, 500)
      multi_az        = optional(bool, true)
      backup_days     = optional(number, 14)
    }), {})
  })

  validation {
    condition     = can(regex("^[0-9]{12}$", var.aws.account_id))
    error_message = "aws.account_id must be the account's 12 digits, in quotes: leading zeros count."
  }
}

variable "gcp" {
  description = "The installation on Google Cloud: project, region and sizes, as in stacks/gcp."
  type = object({
    project_id            = string
    region                = string
    dns_endpoint_external = optional(bool, false)
    postgres = optional(object({
      tier              = optional(string, "db-custom-1-3840")
      high_availability = optional(bool, true)
      disk_gb           = optional(number, 20)
      disk_limit_gb     = optional(number, 200)
      max_connections   = optional(number, 200)
      retained_backups  = optional(number, 14)
    }), {})
  })
}

variable "deletion_protection" {
  description = "Refuses to delete clusters and databases."
  type        = bool
  default     = true

  validation {
    condition     = var.deletion_protection || var.environment != "prod"
    error_message = "deletion_protection cannot be off in prod. To take production down, write a plan for its data first and change this rule with it."
  }
}

variable "region_check" {
  description = "Refuses a region that is not on the lists in terraform/modules. False takes your word for one that is newer than they are."
  type        = bool
  default     = true
}

variable "install_slipway" {
  description = "Installs the chart in both clusters. False where a pipeline installs it, and at the first apply, before there are images to pull."
  type        = bool
  default     = true
}

variable "image_tag" {
  description = "Tag of all images, in both registries. Null takes the chart's appVersion."
  type        = string
  default     = null
}

variable "agent_namespaces" {
  description = "Namespaces for agents, in both clusters."
  type        = set(string)
  default     = []
}

variable "api_keys" {
  description = "Callers of both gateways: what `slipway keys new NAME` prints on standard error. Hashes, never keys."
  type        = list(object({ name = string, sha256 = string }))
  default     = []
}

variable "default_agent" {
  description = "NAMESPACE/NAME of the agent behind POST /agent/chat, in both clusters."
  type        = string
  default     = null
}

variable "gateway_replicas" {
  description = "Pods of each gateway."
  type        = number
  default     = 2
}

variable "alarm_topic_arns" {
  description = "SNS topics in us-east-1 that are notified when an installation becomes unhealthy or healthy."
  type        = list(string)
  default     = []
}
