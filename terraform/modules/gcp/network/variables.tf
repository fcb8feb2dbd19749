variable "project_id" {
  description = "Google Cloud project that holds the network."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "name" {
  description = "Prefix of all names, so that several networks fit into one project."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "Write at most 40 lower-case letters, digits and hyphens, beginning with a letter: suffixes are added, and Google takes 63."
  }
}

variable "region" {
  description = "Region of the subnetwork, the router and the NAT."
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

variable "node_cidr" {
  description = "IPv4 range of the nodes."
  type        = string
  default     = "10.0.0.0/20"

  validation {
    condition     = can(cidrhost(var.node_cidr, 0))
    error_message = "Write an IPv4 range in CIDR form, for example 10.0.0.0/20."
  }
}

variable "pod_cidr" {
  description = "IPv4 range of the pods. GKE takes a /26 of it for each node of 32 pods."
  type        = string
  default     = "10.4.0.0/14"

  validation {
    condition     = can(cidrhost(var.pod_cidr, 0)) && try(tonumber(split("/", var.pod_cidr)[1]) <= 21, false)
    error_message = "Write an IPv4 range of /21 or larger in CIDR form, for example 10.4.0.0/14: smaller ones run out of pods."
  }
}

variable "service_cidr" {
  description = "IPv4 range of the cluster's Services."
  type        = string
  default     = "10.8.0.0/20"

  validation {
    condition     = can(cidrhost(var.service_cidr, 0))
    error_message = "Write an IPv4 range in CIDR form, for example 10.8.0.0/20."
  }

  validation {
    condition     = length(distinct([var.node_cidr, var.pod_cidr, var.service_cidr])) == 3
    error_message = "Nodes, pods and Services need three ranges that differ."
  }
}

variable "managed_services_prefix_length" {
  description = "Size of the range for Cloud SQL and Memorystore, as a prefix length."
  type        = number
  default     = 20

  validation {
    condition     = var.managed_services_prefix_length >= 8 && var.managed_services_prefix_length <= 24
    error_message = "Write a prefix length from 8 to 24: each managed service in each region takes a /24."
  }
}

variable "flow_log_sampling" {
  description = "Share of the flows that is logged, from 0 to 1. Flow logs are charged by volume."
  type        = number
  default     = 0.1

  validation {
    condition     = var.flow_log_sampling >= 0 && var.flow_log_sampling <= 1
    error_message = "Write a share from 0 to 1, for example 0.1 for a tenth."
  }
}
