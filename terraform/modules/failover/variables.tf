variable "name" {
  description = "Prefix of the names of health checks, records and alarms."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "name must be at most 40 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "zone_id" {
  description = "Id of the public zone of Route 53 that holds hostname."
  type        = string

  validation {
    condition     = can(regex("^Z[A-Z0-9]{7,31}$", var.zone_id))
    error_message = "zone_id must be a zone's id such as Z0123456789ABCDEFGHIJ, not its name."
  }
}

variable "hostname" {
  description = "The name that users call. Both gateways must answer to it and have it in their certificates."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.){2,}[a-z]{2,63}$", var.hostname))
    error_message = "hostname must be a DNS name in lower case below a zone, for example agents.example.com: it becomes a CNAME, which a zone's own name cannot be."
  }

  validation {
    condition     = !contains([var.primary.hostname, var.secondary.hostname], var.hostname)
    error_message = "hostname must differ from the installations' own names: a name that points to itself resolves to nothing."
  }
}

variable "primary" {
  description = "The installation that serves while it can: its own name and the path that answers 200 while its gateway can serve."
  type = object({
    hostname    = string
    health_path = optional(string, "/readyz")
  })

  validation {
    condition     = can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.primary.hostname)) && startswith(var.primary.health_path, "/")
    error_message = "primary needs a DNS name in lower case without https://, and a path that begins with /."
  }
}

variable "secondary" {
  description = "The installation that serves when the primary cannot."
  type = object({
    hostname    = string
    health_path = optional(string, "/readyz")
  })

  validation {
    condition     = can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.secondary.hostname)) && startswith(var.secondary.health_path, "/")
    error_message = "secondary needs a DNS name in lower case without https://, and a path that begins with /."
  }

  validation {
    condition     = var.secondary.hostname != var.primary.hostname
    error_message = "secondary must be another installation than primary: there is nothing to fail over to otherwise."
  }
}

variable "request_interval_seconds" {
  description = "Seconds between two requests of one checker. About sixteen checkers ask, so a gateway sees more."
  type        = number
  default     = 10

  validation {
    condition     = contains([10, 30], var.request_interval_seconds)
    error_message = "request_interval_seconds must be 10 or 30: Route 53 takes no other."
  }
}

variable "failure_threshold" {
  description = "Failed requests in a row until a checker calls a gateway unhealthy."
  type        = number
  default     = 3

  validation {
    condition     = var.failure_threshold >= 1 && var.failure_threshold <= 10 && floor(var.failure_threshold) == var.failure_threshold
    error_message = "failure_threshold must be a whole number from 1 to 10."
  }
}

variable "ttl_seconds" {
  description = "Seconds that resolvers keep the answer, and so what a fail-over takes longer."
  type        = number
  default     = 60

  validation {
    condition     = var.ttl_seconds >= 0 && var.ttl_seconds <= 300
    error_message = "ttl_seconds must be from 0 to 300: callers would stay with a dead installation for longer otherwise."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics in us-east-1, where Route 53's metrics are, that are notified when an installation becomes unhealthy or healthy. Empty: no alarm."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:aws:sns:us-east-1:[0-9]{12}:.+$", arn))])
    error_message = "alarm_topic_arns must be ARNs of SNS topics in us-east-1: arn:aws:sns:us-east-1:ACCOUNT:NAME. Route 53 publishes its metrics there only."
  }
}
