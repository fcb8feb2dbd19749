variable "project_id" {
  description = "Google Cloud project that holds the installation."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  description = "Region of everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Write a Google Cloud region such as europe-west4: no zone (europe-west4-a) and no other cloud's region (eu-west-1)."
  }

  validation {
    condition     = !var.region_check || contains(local.regions.names, var.region)
    error_message = "${var.region} is not known to have ${local.regions.service} (${local.regions.source}, ${local.regions.date}). Choose one of ${join(", ", local.regions.names)}; if it came there later, set region_check = false."
  }
}

variable "region_check" {
  description = "Refuses a region that `../regions.yaml` does not list for the service. False takes your word for one that is newer than the list."
  type        = bool
  default     = true
  nullable    = false
}

variable "name" {
  description = "Name of the installation: the cluster's name and prefix of all others."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,22}[a-z0-9]$", var.name))
    error_message = "Write 4 to 24 lower-case letters, digits and hyphens, beginning with a letter: service accounts take no longer names."
  }
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

variable "kubernetes_version" {
  description = "Lowest Kubernetes version of the cluster."
  type        = string
  default     = "1.34"
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

  validation {
    condition     = var.hostname == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.hostname))
    error_message = "Write a hostname in lower case without scheme or path, for example agents.example.com."
  }
}

variable "domain" {
  description = "Domain of the zone that is made for the hostname; the hostname itself if null."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null || var.hostname != null
    error_message = "A domain without a hostname has no use: write the gateway's hostname, too."
  }
}

variable "additional_hostnames" {
  description = "Further names that the gateway answers to, with certificates: for example one that fails over between clouds."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.additional_hostnames) == 0 || var.hostname != null
    error_message = "Additional hostnames need a hostname first."
  }
}

variable "stream_timeout_seconds" {
  description = "Seconds after which the load balancer cuts an answer that is still being streamed."
  type        = number
  default     = 3600

  validation {
    condition     = var.stream_timeout_seconds >= 30 && var.stream_timeout_seconds <= 86400
    error_message = "Write 30 to 86400 seconds."
  }
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
