variable "name" {
  description = "Name of the app and prefix of the related names."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,30}[a-z0-9])$", var.name))
    error_message = "name must be 2 to 32 characters: lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "resource_group_name" {
  description = "Resource group that holds everything made here."
  type        = string

  validation {
    condition     = can(regex("^[-A-Za-z0-9_.()]{0,89}[-A-Za-z0-9_()]$", var.resource_group_name))
    error_message = "resource_group_name must be 1 to 90 letters, digits, dots, hyphens, underscores and brackets, and must not end in a dot."
  }
}

variable "location" {
  description = "Azure region with availability zones, by its short name."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.location))
    error_message = "location must be a region's short name, such as westeurope or eastus2, not the name that people read (West Europe)."
  }

  validation {
    condition     = !var.region_check || contains(local.regions.names, var.location)
    error_message = "${var.location} is not known to have ${local.regions.service} (${local.regions.source}, ${local.regions.date}). Choose one of ${join(", ", local.regions.names)}; if it came there later, set region_check = false."
  }
}

variable "region_check" {
  description = "Refuses a region that `../regions.yaml` does not list for the service. False takes your word for one that is newer than the list."
  type        = bool
  default     = true
  nullable    = false
}


variable "subnet_id" {
  description = "Id of a subnet delegated to Container Apps: an output of the network module."
  type        = string

  validation {
    condition     = can(regex("/virtualNetworks/[^/]+/subnets/[^/]+$", var.subnet_id))
    error_message = "subnet_id must be the id of a subnet (.../virtualNetworks/NAME/subnets/NAME): write module.network.apps_subnet_id."
  }
}

variable "image" {
  description = "The image `standalone` of Slipway, with its registry and a tag or digest."
  type        = string

  validation {
    condition     = can(regex("^[^/]+/.+(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image must be REGISTRY/PATH:TAG with a tag that never moves, for example example.azurecr.io/slipway/standalone:0.1.0."
  }
}

variable "registry" {
  description = "Registry that the app pulls from by its own identity: outputs of the registry module. Null: the image is public."
  type        = object({ id = string, login_server = string })
  default     = null
}

variable "manifests" {
  description = "Files of the folder of manifests, by name: { for name in fileset(path.module, \"*.yaml\") : name => file(name) }."
  type        = map(string)

  validation {
    condition     = length(var.manifests) > 0 && alltrue([for name in keys(var.manifests) : can(regex("^[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?\\.ya?ml$", name))])
    error_message = "manifests must hold at least one file, and their names only lower-case letters, digits, dots and hyphens with .yaml or .yml at the end."
  }
}

variable "api_keys" {
  description = "Callers: what `slipway keys new NAME` prints on standard error. Hashes, never keys."
  type        = list(object({ name = string, sha256 = string }))

  validation {
    condition     = length(var.api_keys) > 0 && alltrue([for key in var.api_keys : can(regex("^[0-9a-f]{64}$", key.sha256))])
    error_message = "api_keys must hold at least one caller, with the 64 hexadecimal digits that `slipway keys new NAME` prints; never write the key itself."
  }
}

variable "allow_public" {
  description = "Serves the app to the internet. False: to the virtual network only. Fixed when the environment is made."
  type        = bool
  default     = false
  nullable    = false
}

variable "public_ranges" {
  description = "IPv4 ranges that reach a public app. Empty: everybody with a key."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.public_ranges) == 0 || var.allow_public
    error_message = "public_ranges makes the app public: say so with allow_public = true, or leave it empty."
  }
}

variable "cpu" {
  description = "Cores of the one container; it gets 2 GiB of memory for each."
  type        = number
  default     = 2

  validation {
    condition     = contains([0.5, 1, 1.5, 2], var.cpu)
    error_message = "cpu must be 0.5, 1, 1.5 or 2."
  }
}

variable "store_dsn" {
  description = "DSN of a Postgres with pgvector that keeps everything. Null: the replica's disk keeps it, and forgets it."
  type        = string
  default     = null
  sensitive   = true
}

variable "vector_db_type" {
  description = "Where vectors are kept that manifests leave to Slipway: a key of spec.backend. Null: as the manifests say."
  type        = string
  default     = null

  validation {
    condition     = var.vector_db_type == null || contains(["chroma", "pgvector", "cockroachdb", "mongodb", "vertex", "snowflake"], coalesce(var.vector_db_type, "-"))
    error_message = "vector_db_type must be a key of spec.backend: chroma, pgvector, cockroachdb, mongodb, vertex or snowflake."
  }

  validation {
    condition     = var.vector_db_connection != null || contains(["chroma", var.store_dsn == null ? "chroma" : "pgvector"], coalesce(var.vector_db_type, "chroma"))
    error_message = "vector_db_type needs vector_db_connection, or store_dsn for pgvector: nothing leads to this back end."
  }
}

variable "vector_db_connection" {
  description = "What leads to vector_db_type, as the Secret of a connectionRef holds it."
  type        = string
  default     = null
  sensitive   = true
}

variable "max_replicas" {
  description = "Replicas at most. More than one needs store_dsn and vectors outside the replica."
  type        = number
  default     = 1

  validation {
    condition     = var.max_replicas >= 1 && var.max_replicas <= 100 && floor(var.max_replicas) == var.max_replicas
    error_message = "max_replicas must be a whole number from 1 to 100."
  }

  validation {
    condition     = var.max_replicas == 1 || (var.store_dsn != null && coalesce(var.vector_db_type, "chroma") != "chroma")
    error_message = "max_replicas above 1 needs store_dsn and a vector_db_type other than chroma: each replica would keep its own otherwise."
  }
}

variable "log_analytics_workspace_id" {
  description = "Workspace for the app's log. Null: Azure keeps none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}
}
