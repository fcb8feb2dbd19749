variable "project_id" {
  description = "Google Cloud project that holds the service."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Write the project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  description = "Region of the service and of the bucket with the manifests."
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
  description = "Name of the service, and prefix of its service account and bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "Write 3 to 20 lower-case letters, digits and hyphens, beginning with a letter: a bucket's name takes 63 with project and suffix."
  }
}

variable "image" {
  description = "Slipway's image standalone, by tag or digest."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?/.+(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "Write the image with its registry and a tag that stays, for example europe-west4-docker.pkg.dev/PROJECT/slipway/standalone:1.0. latest is refused."
  }
}

variable "api_keys" {
  description = "Callers: what `slipway keys new NAME` prints on standard error. Hashes, never keys."
  type        = list(object({ name = string, sha256 = string }))

  validation {
    condition     = length(var.api_keys) > 0
    error_message = "Give at least one key, made with `slipway keys new NAME`: without one, nobody could ask."
  }

  validation {
    condition     = alltrue([for key in var.api_keys : can(regex("^[0-9a-f]{64}$", key.sha256))])
    error_message = "Each sha256 must be the 64 hexadecimal digits that `slipway keys new NAME` prints; never write the key itself."
  }
}

variable "manifests" {
  description = "The folder of manifests: the files' text by their names. examples/basic reads a folder."
  type        = map(string)

  validation {
    condition     = length(var.manifests) > 0 && alltrue([for name in keys(var.manifests) : can(regex("^[A-Za-z0-9._-]+[.](yaml|yml|json)$", name))])
    error_message = "Give at least one file, and name files without folders, ending in .yaml, .yml or .json: `slipway dev` reads no others."
  }

  validation {
    condition     = alltrue([for text in values(var.manifests) : !can(regex("(?m)^kind: *[\"']?Secret[\"']? *$", text))])
    error_message = "A Secret must not lie in the bucket: leave it out of the manifests."
  }
}

variable "network_id" {
  description = "VPC through which everything that leaves the instance goes: output network_id of gcp/network."
  type        = string

  validation {
    condition     = length(var.network_id) > 0
    error_message = "Name a VPC: what leaves the instance goes through its NAT and firewall. gcp/network makes one."
  }
}

variable "subnetwork_id" {
  description = "Subnetwork in the service's region: output subnetwork_id of gcp/network."
  type        = string

  validation {
    condition     = length(var.subnetwork_id) > 0
    error_message = "Name a subnetwork of the VPC in the service's region. gcp/network makes one."
  }
}

variable "invokers" {
  description = "Who may send requests, by a name of your choice, as IAM members. They show an API key as well."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.invokers) : can(regex("^(serviceAccount|user|group|domain|principal|principalSet):", member))])
    error_message = "Write IAM members such as {team = \"group:team@example.com\"}. Everybody is asked for with allow_public = true."
  }
}

variable "allow_public" {
  description = "Whether IAM lets everybody send requests, so that the API key alone decides."
  type        = bool
  default     = false
}

variable "ingress" {
  description = "From where requests are taken: inside the VPC, from a load balancer too, or from everywhere. IAM decides as well, unless allow_public."
  type        = string
  default     = "INGRESS_TRAFFIC_INTERNAL_ONLY"

  validation {
    condition     = contains(["INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "INGRESS_TRAFFIC_ALL"], var.ingress)
    error_message = "Write INGRESS_TRAFFIC_INTERNAL_ONLY, INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER or INGRESS_TRAFFIC_ALL."
  }
}

variable "cpu" {
  description = "Processors of the runtime."
  type        = number
  default     = 2

  validation {
    condition     = contains([1, 2, 4, 8], var.cpu)
    error_message = "Write 1, 2, 4 or 8: Cloud Run has no others."
  }
}

variable "memory_gb" {
  description = "Memory of the runtime in GiB. Sessions and vectors are in it as well: Cloud Run's file system is memory."
  type        = number
  default     = 2

  validation {
    condition     = var.memory_gb >= 1 && var.memory_gb <= 32 && floor(var.memory_gb) == var.memory_gb
    error_message = "Write a whole number of GiB from 1 to 32: the embedding model alone takes half of one."
  }
}

variable "concurrency" {
  description = "Requests at a time. The one instance refuses more."
  type        = number
  default     = 80

  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 1000
    error_message = "Write 1 to 1000, the most that Cloud Run sends to one instance."
  }
}

variable "request_timeout_seconds" {
  description = "Seconds after which a streamed answer is cut."
  type        = number
  default     = 3600

  validation {
    condition     = var.request_timeout_seconds >= 30 && var.request_timeout_seconds <= 3600
    error_message = "Write 30 to 3600 seconds, the most that Cloud Run allows."
  }
}

variable "store" {
  description = "A Postgres with pgvector that keeps everything, by the Secret Manager secret with its DSN and the version. Null: the instance's memory keeps it, and forgets it."
  type        = object({ secret = string, version = string })
  default     = null
}

variable "vector_db_type" {
  description = "Where vectors are kept that manifests leave to Slipway: a key of spec.backend. Null: as the manifests say."
  type        = string
  default     = null

  validation {
    condition     = var.vector_db_type == null || contains(["chroma", "pgvector", "cockroachdb", "mongodb", "vertex", "snowflake"], coalesce(var.vector_db_type, "-"))
    error_message = "Write a key of spec.backend: chroma, pgvector, cockroachdb, mongodb, vertex or snowflake."
  }

  validation {
    condition     = var.vector_db_connection != null || contains(["chroma", var.store == null ? "chroma" : "pgvector"], coalesce(var.vector_db_type, "chroma"))
    error_message = "Give vector_db_connection, or for pgvector a store: nothing leads to this back end."
  }
}

variable "vector_db_connection" {
  description = "What leads to vector_db_type, as the Secret of a connectionRef holds it: a Secret Manager secret and its version."
  type        = object({ secret = string, version = string })
  default     = null
}

variable "max_instances" {
  description = "Instances at most. More than one needs a store and vectors outside the instance."
  type        = number
  default     = 1

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 100 && floor(var.max_instances) == var.max_instances
    error_message = "Write a whole number from 1 to 100."
  }

  validation {
    condition     = var.max_instances == 1 || (var.store != null && coalesce(var.vector_db_type, "chroma") != "chroma")
    error_message = "Several instances need a store and a vector_db_type other than chroma: each would keep its own otherwise."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the service and a bucket with manifests in it."
  type        = bool
  default     = true
}
