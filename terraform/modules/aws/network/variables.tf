variable "name" {
  description = "Prefix of all names, so that several installations fit into one account and region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be at most 30 lower-case letters, digits and single hyphens, a letter first: suffixes are added, and an IAM role's name takes 64."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts what is made here: an output of aws/encryption."
  type        = string

  validation {
    condition     = can(regex("^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, not its id or alias."
  }
}

variable "cidr" {
  description = "IPv4 range of the VPC, cut into subnets for nodes (sixteenths), load balancers and databases."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 18, false)
    error_message = "cidr must be an IPv4 range of /16 to /18 in CIDR form, for example 10.0.0.0/16: every pod takes an address of it, and AWS takes no larger VPC."
  }
}

variable "availability_zones" {
  description = "Two to four zones of one region, by name. They are written down and not looked up, so that a new zone of AWS does not move subnets."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 4 && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones needs two to four different zones: EKS and RDS refuse a network in one zone."
  }

  validation {
    condition     = alltrue([for zone in var.availability_zones : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", zone))])
    error_message = "availability_zones must be zones such as eu-central-1a: a region (eu-central-1) and another cloud's zone (europe-west4-a) are none."
  }

  validation {
    condition     = length(distinct([for zone in var.availability_zones : substr(zone, 0, max(length(zone) - 1, 0))])) <= 1
    error_message = "availability_zones must all be in one region: a VPC cannot span two."
  }

  validation {
    condition     = !var.region_check || alltrue([for zone in var.availability_zones : contains(local.regions.names, substr(zone, 0, max(length(zone) - 1, 0)))])
    error_message = "The region of ${join(" and ", var.availability_zones)} is not known to have ${local.regions.service} (${local.regions.source}, ${local.regions.date}). Choose one of ${join(", ", local.regions.names)}; if it came later, set region_check = false."
  }
}

variable "region_check" {
  description = "Refuses zones of a region that `../regions.yaml` does not list. False takes your word for one that is newer than the list."
  type        = bool
  default     = true
  nullable    = false
}

variable "single_nat" {
  description = "One NAT gateway for all zones: cheaper, and when its zone fails no node reaches the outside. For trials."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days that logs are kept. CloudWatch takes certain numbers only."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number that CloudWatch knows, such as 7, 30, 90, 365 or 731."
  }
}
