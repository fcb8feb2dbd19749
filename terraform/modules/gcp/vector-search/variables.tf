variable "project_id" {
  description = "Google Cloud project that holds the index."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  description = "Region of the collections, or of index and endpoint: the cluster's."
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
  description = "Name of a 1.0 index and its endpoint, and prefix of their address."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,53}[a-z0-9])?$", var.name))
    error_message = "Write at most 55 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "legacy_index" {
  description = "Whether to make an index of Vector Search 1.0 on an endpoint, for agents of your own that use that interface. It is charged for as long as it is deployed."
  type        = bool
  default     = false
  nullable    = false
}

variable "contents_delta_uri" {
  description = "Folder in Cloud Storage whose vectors fill the 1.0 index; null for one that begins empty."
  type        = string
  default     = null

  validation {
    condition     = var.contents_delta_uri == null || (var.legacy_index && can(regex("^gs://[a-z0-9][a-z0-9._-]+/.+$", coalesce(var.contents_delta_uri, "null"))))
    error_message = "Write a folder such as gs://bucket/vectors, together with legacy_index = true: a collection of Vector Search 2.0 is filled by Slipway."
  }
}

variable "dimensions" {
  description = "Length of the vectors. Slipway's embedding model gives 384."
  type        = number
  default     = 384

  validation {
    condition     = var.dimensions == 384
    error_message = "Write 384 or leave it out: all-MiniLM-L6-v2, the model in Slipway's images, gives vectors of 384 numbers and nothing else fits."
  }
}

variable "approximate_neighbors" {
  description = "How many neighbours the approximate search collects before they are compared exactly."
  type        = number
  default     = 150

  validation {
    condition     = var.approximate_neighbors >= 10 && var.approximate_neighbors <= 1000
    error_message = "Write 10 to 1000: more neighbours, better recall, slower answers."
  }
}

variable "allow_public" {
  description = "Whether the endpoint is public, with IAM in front, in place of private."
  type        = bool
  default     = false
}

variable "network_id" {
  description = "VPC of the private endpoint: output network_id of gcp/network. Null for a public one."
  type        = string
  default     = null

  validation {
    condition     = !var.legacy_index || var.allow_public || try(length(var.network_id) > 0, false)
    error_message = "A private endpoint needs a VPC: write output network_id of gcp/network. A public endpoint has to be asked for with allow_public = true."
  }
}

variable "subnetwork_id" {
  description = "Subnetwork of the private endpoint's address: output subnetwork_id of gcp/network. Null for a public one."
  type        = string
  default     = null

  validation {
    condition     = !var.legacy_index || var.allow_public || try(length(var.subnetwork_id) > 0, false)
    error_message = "A private endpoint needs a subnetwork for its address: write output subnetwork_id of gcp/network."
  }
}

variable "machine_type" {
  description = "Machine of each replica."
  type        = string
  default     = "e2-standard-2"

  validation {
    condition     = contains(["e2-standard-2", "e2-standard-16", "e2-highmem-16", "n1-standard-16", "n1-standard-32", "n2d-standard-32"], var.machine_type)
    error_message = "Write a machine that serves small shards, for example e2-standard-2."
  }
}

variable "min_replicas" {
  description = "Fewest replicas. Two survive a machine."
  type        = number
  default     = 2

  validation {
    condition     = var.min_replicas >= 1 && floor(var.min_replicas) == var.min_replicas
    error_message = "Write a whole number, 1 or more: an index is charged for as long as it is deployed."
  }
}

variable "max_replicas" {
  description = "Most replicas."
  type        = number
  default     = 4

  validation {
    condition     = var.max_replicas >= var.min_replicas
    error_message = "Write at least min_replicas."
  }
}

variable "users" {
  description = "Who may write and search, by a name of your choice, as IAM members, for example the principal of an agent's pod."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.users) : can(regex("^(serviceAccount|user|group|principal|principalSet):", member))])
    error_message = "Write IAM members such as {agent = \"principal://...\"}. allUsers and allAuthenticatedUsers are refused."
  }
}
