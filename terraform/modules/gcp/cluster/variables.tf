variable "project_id" {
  description = "Google Cloud project that holds the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  description = "Region of the cluster: its control plane and nodes are in three of its zones."
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
  description = "Name of the cluster, and prefix of its service account."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{2,22}[a-z0-9])$", var.name))
    error_message = "Write 4 to 24 lower-case letters, digits and hyphens, beginning with a letter: a service account's id takes 30 with its suffix."
  }
}

variable "network_id" {
  description = "VPC of the cluster: output network_id of gcp/network."
  type        = string

  validation {
    condition     = length(var.network_id) > 0
    error_message = "Name a VPC: the cluster is private and cannot be made without one. gcp/network makes one."
  }
}

variable "subnetwork_id" {
  description = "Subnetwork of the nodes: output subnetwork_id of gcp/network."
  type        = string

  validation {
    condition     = length(var.subnetwork_id) > 0
    error_message = "Name a subnetwork with secondary ranges for pods and Services. gcp/network makes one."
  }
}

variable "pod_range_name" {
  description = "Name of the subnetwork's secondary range for pods."
  type        = string
  default     = "pods"
}

variable "service_range_name" {
  description = "Name of the subnetwork's secondary range for Services."
  type        = string
  default     = "services"
}

variable "kubernetes_version" {
  description = "Lowest Kubernetes version of the control plane. The release channel upgrades it from there."
  type        = string
  default     = "1.34"

  validation {
    condition     = can(regex("^1\\.[0-9]+", var.kubernetes_version)) && try(tonumber(split(".", var.kubernetes_version)[1]) >= 34, false)
    error_message = "Write 1.34 or newer, for example 1.34: Slipway is not tested on older versions."
  }
}

variable "release_channel" {
  description = "How early the cluster gets new versions: RAPID, REGULAR or STABLE."
  type        = string
  default     = "REGULAR"

  validation {
    condition     = contains(["RAPID", "REGULAR", "STABLE"], var.release_channel)
    error_message = "Write RAPID, REGULAR or STABLE."
  }
}

variable "dns_endpoint_external" {
  description = "Whether the control plane's DNS name answers outside Google Cloud too. IAM decides who may do what; without it, Terraform and kubectl have to run inside the VPC."
  type        = bool
  default     = false
}

variable "control_plane_cidrs" {
  description = "Private ranges, by name, that may reach the control plane's address in addition to the cluster's own subnetwork, for example a VPN's."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for cidr in values(var.control_plane_cidrs) : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "Write IPv4 ranges in CIDR form, for example {vpn = \"10.100.0.0/24\"}. A range of everything (/0) is refused: use dns_endpoint_external."
  }
}

variable "secrets_kms_key" {
  description = "Id of a Cloud KMS key that encrypts the cluster's Secrets in addition to Google's own encryption; null for Google's alone."
  type        = string
  default     = null

  validation {
    condition     = var.secrets_kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.secrets_kms_key))
    error_message = "Write projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY."
  }
}

variable "maintenance_start_time" {
  description = "When the daily maintenance window begins, HH:MM in UTC. It lasts four hours."
  type        = string
  default     = "03:00"

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.maintenance_start_time))
    error_message = "Write a time of day in UTC as HH:MM, for example 03:00."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the cluster."
  type        = bool
  default     = true
}
