variable "name" {
  description = "Prefix of all names, so that several installations fit into one account and region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be at most 30 lower-case letters, digits and single hyphens, a letter first: suffixes are added, and ElastiCache takes 40."
  }
}

variable "account_id" {
  description = "Account that the installation lives in. It is written down and not looked up, so that a plan is the same whoever makes it."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the account's 12 digits, in quotes: leading zeros count."
  }
}

variable "region" {
  description = "Region of the installation, one with EKS Auto Mode. Some have to be switched on in the account first."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region of AWS such as eu-central-1: no zone (eu-central-1a) and no other cloud's region (europe-west4)."
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

variable "availability_zones" {
  description = "Two to four zones of the region, by name, for example eu-central-1a. Accounts differ in which zones they see."
  type        = list(string)

  validation {
    condition     = alltrue([for zone in var.availability_zones : startswith(zone, var.region) && length(zone) == length(var.region) + 1])
    error_message = "availability_zones must be zones of region: its name and a letter, for example eu-central-1a with eu-central-1."
  }
}

variable "cidr" {
  description = "IPv4 range of the VPC."
  type        = string
  default     = "10.0.0.0/16"
}

variable "single_nat" {
  description = "One NAT gateway for all zones: cheaper, and when its zone fails no node reaches the outside. For trials."
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
  description = "Ranges from which the API server is reached over the internet. Empty: from inside the VPC only, so Terraform must run there."
  type        = list(string)
  default     = []
}

variable "admin_principal_arns" {
  description = "IAM roles and users that administer the cluster, in addition to the identity that applies."
  type        = set(string)
  default     = []
}

variable "workload_identities" {
  description = "Cloud identity for pods: by name, the service account and the policies that its pods get. Slipway's own pods need none."
  type = map(object({
    namespace       = string
    service_account = string
    policy_arns     = map(string)
  }))
  default = {}
}

variable "push_principal_arns" {
  description = "IAM roles that may push images, such as the role of the delivery pipeline."
  type        = set(string)
  default     = []
}

variable "deletion_protection" {
  description = "Refuses to delete cluster, database and images, and keeps deleted secrets for 30 days."
  type        = bool
  default     = true
}

variable "database" {
  description = "Size and safety of Postgres: class of the server, disk now and at most in GiB, a standby in another zone, days of backups."
  type = object({
    instance_class  = optional(string, "db.t4g.medium")
    storage_gib     = optional(number, 50)
    max_storage_gib = optional(number, 500)
    multi_az        = optional(bool, true)
    backup_days     = optional(number, 14)
  })
  default = {}
}

variable "redis" {
  description = "Makes a Redis: type and number of its nodes. Null: none. Only agents with spec.sessions.redis use it."
  type = object({
    node_type = optional(string, "cache.t4g.small")
    nodes     = optional(number, 2)
  })
  default = null
}

variable "install_slipway" {
  description = "Installs the chart. False where a pipeline installs it, and at the first apply, before there are images to pull."
  type        = bool
  default     = true
}

variable "image_registry" {
  description = "Host and path of the images. Null takes the registry that is made here."
  type        = string
  default     = null
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

variable "otlp_endpoint" {
  description = "Where traces are sent, OTLP over HTTP. Null switches tracing off."
  type        = string
  default     = null
}

variable "ca_bundle" {
  description = "PEM text of every authority to trust, RDS's among them. With it the server's certificate is checked (sslmode=verify-full); without, traffic is only encrypted."
  type        = string
  default     = null
}

variable "extra_values" {
  description = "YAML documents with further values of the chart, the last one wins."
  type        = list(string)
  default     = []
}

variable "hostname" {
  description = "Name at which users reach the gateway, in the zone. Null: it is reached inside the cluster only."
  type        = string
  default     = null

  validation {
    condition     = var.hostname == null || var.zone_id != null || var.zone_name != null
    error_message = "hostname needs a zone: give zone_id of one that is there, or zone_name of one to make."
  }

  validation {
    condition     = var.hostname == null || var.zone_name == null ? true : endswith(var.hostname, ".${var.zone_name}")
    error_message = "hostname must be below zone_name and not the zone itself, which cannot be a CNAME: for example agents.example.com in example.com."
  }
}

variable "additional_hostnames" {
  description = "Further names that the gateway answers to and that are in its certificate, without records of their own: a name shared by two installations."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.additional_hostnames) == 0 || var.hostname != null
    error_message = "additional_hostnames needs hostname: without it there is no load balancer."
  }
}

variable "zone_id" {
  description = "Id of a public zone of Route 53 that is there already."
  type        = string
  default     = null
}

variable "zone_name" {
  description = "Domain of a public zone to make, in place of zone_id."
  type        = string
  default     = null
}

variable "internal" {
  description = "Puts the load balancer into the private subnets, to be reached from the VPC and what is connected to it."
  type        = bool
  default     = false
}
