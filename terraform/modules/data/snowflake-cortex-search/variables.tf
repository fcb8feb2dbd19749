variable "name" {
  description = "Name of the search service, and prefix of the names of warehouse and role."
  type        = string
  default     = "SLIPWAY"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_]{0,239}$", coalesce(var.name, "null")))
    error_message = "name must be 1 to 240 letters, digits and underscores, a letter first; it is written in capitals, since other names have to be quoted in Snowflake everywhere."
  }
}

variable "database" {
  description = "Database, made here. Null: it has the name of the service."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_]{0,239}$", coalesce(var.database, "null")))
    error_message = "database must be 1 to 240 letters, digits and underscores, a letter first; it is written in capitals, since other names have to be quoted in Snowflake everywhere."
  }
}

variable "schema" {
  description = "Schema in it, made here."
  type        = string
  default     = "KNOWLEDGE"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_]{0,239}$", coalesce(var.schema, "null")))
    error_message = "schema must be 1 to 240 letters, digits and underscores, a letter first; it is written in capitals, since other names have to be quoted in Snowflake everywhere."
  }
}

variable "embedding_model" {
  description = "Model with which Snowflake embeds texts and questions. It need not be Slipway's: no vector leaves Snowflake."
  type        = string
  default     = "snowflake-arctic-embed-m-v1.5"

  validation {
    condition     = contains(["snowflake-arctic-embed-m-v1.5", "snowflake-arctic-embed-l-v2.0", "voyage-multilingual-2"], var.embedding_model)
    error_message = "embedding_model must be snowflake-arctic-embed-m-v1.5 or, for other languages than English, snowflake-arctic-embed-l-v2.0 or voyage-multilingual-2."
  }
}

variable "target_lag" {
  description = "How old what is found may be. Shorter costs more."
  type        = string
  default     = "1 hour"

  validation {
    condition     = can(regex("^[1-9][0-9]* (seconds?|minutes?|hours?|days?)$", var.target_lag))
    error_message = "target_lag must be a number and a unit, for example 1 hour, 30 minutes or 1 day."
  }
}

variable "warehouse_size" {
  description = "Size of the warehouse that keeps the index up to date. Snowflake advises none above MEDIUM."
  type        = string
  default     = "XSMALL"

  validation {
    condition     = contains(["XSMALL", "SMALL", "MEDIUM"], var.warehouse_size)
    error_message = "warehouse_size must be XSMALL, SMALL or MEDIUM; larger ones make no index faster."
  }
}

variable "retention_days" {
  description = "Days that deleted chunks can be brought back (Time Travel)."
  type        = number
  default     = 7

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 90
    error_message = "retention_days must be 1 to 90; more than 1 needs Snowflake's Enterprise edition."
  }
}
