variable "name" {
  description = "Prefix of all names, so that several installations fit into one account and region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be at most 30 lower-case letters, digits and single hyphens, a letter first: suffixes are added, and a replication group's name takes 40."
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

variable "vpc_id" {
  description = "The VPC: an output of aws/network."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be an id such as vpc-0123456789abcdef0: make the network with aws/network and pass its vpc_id."
  }
}

variable "subnet_ids" {
  description = "Subnets without a way out: database_subnet_ids of aws/network."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids needs two subnets or more, in different availability zones: make them with aws/network and pass database_subnet_ids."
  }
}

variable "client_security_groups" {
  description = "Who may connect: by a name of yours, the id of a security group, such as security_group_id of aws/cluster."
  type        = map(string)

  validation {
    condition     = length(var.client_security_groups) > 0
    error_message = "client_security_groups is empty, so nobody could connect: pass { cluster = module.cluster.security_group_id }."
  }
}

variable "node_type" {
  description = "Size of a node."
  type        = string
  default     = "cache.t4g.small"

  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.node_type))
    error_message = "node_type must be a type of ElastiCache, for example cache.t4g.small; an EC2 type lacks the cache. in front."
  }
}

variable "nodes" {
  description = "A primary and its replicas. With two or more, a replica takes over when the primary's zone fails."
  type        = number
  default     = 2

  validation {
    condition     = var.nodes >= 1 && var.nodes <= 6 && floor(var.nodes) == var.nodes
    error_message = "nodes must be a whole number from 1 to 6: ElastiCache takes five replicas at most."
  }
}

variable "snapshot_days" {
  description = "Days that daily snapshots are kept."
  type        = number
  default     = 7

  validation {
    condition     = var.snapshot_days >= 0 && var.snapshot_days <= 35
    error_message = "snapshot_days must be from 0 (none) to 35."
  }
}
