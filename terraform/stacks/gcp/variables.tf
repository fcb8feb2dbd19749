# What the environments differ in. Values are checked by modules/gcp/platform.

variable "environment" {
  description = "Name of the environment: a label of everything that is made."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "Write dev, staging or prod: the folder in terraform/envs that the other values come from."
  }
}

variable "project_id" {
  description = "Google Cloud project that holds the installation."
  type        = string
}

variable "region" {
  description = "Region of everything."
  type        = string
}

variable "region_check" {
  description = "Refuses a region that is not on the lists in terraform/modules. False takes your word for one that is newer than they are."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the installation: the cluster's name and prefix of all others."
  type        = string
}

variable "network" {
  description = "IPv4 ranges of nodes, pods and Services; those of gcp/network if left out."
  type = object({
    node_cidr    = optional(string, "10.0.0.0/20")
    pod_cidr     = optional(string, "10.4.0.0/14")
    service_cidr = optional(string, "10.8.0.0/20")
  })
  default  = {}
  nullable = false
}

variable "release_channel" {
  description = "How early the cluster gets new versions: RAPID, REGULAR or STABLE."
  type        = string
  default     = "REGULAR"
}

variable "dns_endpoint_external" {
  description = "Whether the control plane's DNS name answers outside Google Cloud too. Without it, Terraform has to run inside the VPC."
  type        = bool
  default     = false
}

variable "control_plane_cidrs" {
  description = "Private ranges, by name, that may reach the control plane's address, for example a VPN's."
  type        = map(string)
  default     = {}
}

variable "postgres" {
  description = "Size of the database: machine, standby in another zone, disk at the beginning and at most, connections, daily backups kept."
  type = object({
    tier              = optional(string, "db-custom-1-3840")
    high_availability = optional(bool, true)
    disk_gb           = optional(number, 20)
    disk_limit_gb     = optional(number, 200)
    max_connections   = optional(number, 200)
    retained_backups  = optional(number, 14)
  })
  default  = {}
  nullable = false
}

variable "redis" {
  description = "A Redis alongside the installation, for agents that need one; null for none. Only agents with spec.sessions.redis use it."
  type = object({
    memory_gb         = optional(number, 1)
    high_availability = optional(bool, true)
  })
  default = null
}

variable "registry_writers" {
  description = "Who may push images, by a name of your choice, as IAM members: the pipeline's service account."
  type        = map(string)
  default     = {}
}

variable "database_secret_readers" {
  description = "Who may read the database's DSN in Secret Manager, by a name of your choice, as IAM members."
  type        = map(string)
  default     = {}
}

variable "hostname" {
  description = "Public hostname of the gateway. Null: the gateway is reached inside the cluster only."
  type        = string
  default     = null
}

variable "domain" {
  description = "Domain of the zone that is made for the hostname; the hostname itself if null."
  type        = string
  default     = null
}

variable "additional_hostnames" {
  description = "Further names that the gateway answers to, with certificates: for example one that fails over between clouds."
  type        = list(string)
  default     = []
}

variable "install_slipway" {
  description = "Whether Terraform installs the chart. False where a pipeline does: then this makes everything up to the cluster."
  type        = bool
  default     = true
}

variable "image_tag" {
  description = "Tag of Slipway's images in the registry; the chart's appVersion if null."
  type        = string
  default     = null
}

variable "agent_namespaces" {
  description = "Namespaces that are made for agents."
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

variable "operator_replicas" {
  description = "Pods of the operator."
  type        = number
  default     = 2
}

variable "extra_values" {
  description = "YAML documents with further values of the chart."
  type        = list(string)
  default     = []
}

variable "deletion_protection" {
  description = "Whether cluster, database and secrets are protected against deletion."
  type        = bool
  default     = true
}
