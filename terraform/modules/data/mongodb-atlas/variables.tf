variable "name" {
  description = "Name of the project and of the cluster in it."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,21}[a-z0-9])$", var.name))
    error_message = "name must be 2 to 23 characters, lower-case letters, digits and hyphens, a letter first: Atlas shows no more of it in host names."
  }
}

variable "org_id" {
  description = "Organisation in Atlas."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{24}$", var.org_id))
    error_message = "org_id must be the 24 hexadecimal digits that Atlas shows in the organisation's settings."
  }
}

variable "cloud" {
  description = "Cloud that the cluster runs in: AWS, GCP or AZURE."
  type        = string

  validation {
    condition     = contains(["AWS", "GCP", "AZURE"], var.cloud)
    error_message = "cloud must be AWS, GCP or AZURE."
  }
}

variable "region" {
  description = "Region by Atlas's own name."
  type        = string

  validation {
    condition     = can(regex("^[A-Z]+(_[A-Z0-9]+)+$", var.region))
    error_message = "region must be Atlas's name of it, in capitals and with underscores: EU_WEST_1 on AWS, EUROPE_WEST_4 or WESTERN_EUROPE on GCP, EUROPE_WEST on Azure."
  }

  validation {
    condition     = !var.region_check || contains(local.known, var.region)
    error_message = "${var.region} on ${var.cloud} is not known to have ${local.regions.service} (${local.regions.source}, ${local.regions.date}). Choose one of ${join(", ", local.known)}; if it came there later, set region_check = false."
  }
}

variable "region_check" {
  description = "Refuses a region that `../regions.yaml` does not list for the cloud. False takes your word for one that is newer than the list."
  type        = bool
  default     = true
  nullable    = false
}

variable "instance_size" {
  description = "Size of the nodes. Terraform makes vector search indexes on M10 and larger."
  type        = string
  default     = "M10"

  validation {
    condition     = can(regex("^M(1[0-9]|[2-9][0-9]|[1-9][0-9]{2})$", var.instance_size))
    error_message = "instance_size must be M10 or larger, for example M10, M30 or M50; M0 and flex clusters cannot be locked or backed up like this."
  }
}

variable "mongodb_major_version" {
  description = "Major version of MongoDB."
  type        = string
  default     = "8.0"

  validation {
    condition     = contains(["7.0", "8.0"], var.mongodb_major_version)
    error_message = "mongodb_major_version must be 7.0 or 8.0, which have vector search."
  }
}

variable "access_ranges" {
  description = "IPv4 ranges that reach the cluster: the outbound addresses of the installation, by a name of your choice."
  type        = map(string)

  validation {
    condition     = length(var.access_ranges) > 0
    error_message = "access_ranges is empty, so nobody could reach the cluster: write the address that the cluster's network leaves from, { slipway = \"203.0.113.7/32\" }."
  }

  validation {
    condition     = alltrue([for range in values(var.access_ranges) : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "access_ranges must be CIDR ranges such as 203.0.113.7/32, and never the whole internet (/0)."
  }
}

variable "database" {
  description = "Name of the database."
  type        = string
  default     = "slipway"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,38}$", var.database))
    error_message = "database must be 1 to 38 letters, digits, hyphens and underscores."
  }
}

variable "collection" {
  description = "Collection of the chunks. It has to exist before its index: Atlas refuses an index of a collection that is not there."
  type        = string
  default     = "chunks"
}

variable "dimensions" {
  description = "Numbers in a vector. Slipway's embedding model, MiniLM, gives 384."
  type        = number
  default     = 384

  validation {
    condition     = var.dimensions == 384
    error_message = "dimensions must be 384: Slipway's embedding model gives vectors of 384 numbers, and an index of another size would refuse them all."
  }
}

variable "deletion_protection" {
  description = "Refuses to delete the cluster."
  type        = bool
  default     = true
  nullable    = false
}
