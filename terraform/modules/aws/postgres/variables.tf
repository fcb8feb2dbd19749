variable "name" {
  description = "Prefix of all names, so that several installations fit into one account and region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be at most 30 lower-case letters, digits and single hyphens, a letter first: suffixes are added, and a database's identifier takes 63."
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

variable "engine_version" {
  description = "Major version of PostgreSQL. All that are taken here have pgvector."
  type        = string
  default     = "17"

  validation {
    condition     = contains(["15", "16", "17", "18"], var.engine_version)
    error_message = "engine_version must be a major version from 15 to 18, for example 17: RDS chooses the minor one, and older ones lack pgvector or leave support."
  }
}

variable "instance_class" {
  description = "Size of the server."
  type        = string
  default     = "db.t4g.medium"

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class must be a class of RDS, for example db.t4g.medium or db.m8g.large; an EC2 type lacks the db. in front."
  }
}

variable "storage_gib" {
  description = "Disk at the start, in GiB."
  type        = number
  default     = 50

  validation {
    condition     = var.storage_gib >= 20 && var.storage_gib <= 65536
    error_message = "storage_gib must be from 20 to 65536: RDS takes no other for gp3."
  }
}

variable "max_storage_gib" {
  description = "What the disk may grow to by itself, in GiB."
  type        = number
  default     = 500

  validation {
    condition     = var.max_storage_gib >= var.storage_gib * 1.1
    error_message = "max_storage_gib must be larger than storage_gib by a tenth or more: RDS refuses less."
  }
}

variable "multi_az" {
  description = "Keeps a standby in another zone, which takes over within a minute or two."
  type        = bool
  default     = true
}

variable "backup_days" {
  description = "Days that backups are kept, to any second of which the database can be restored."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days must be from 1 to 35: 0 would switch backups off, and RDS keeps none longer."
  }
}

variable "deletion_protection" {
  description = "Refuses to delete the database, keeps its backups, and takes a last snapshot."
  type        = bool
  default     = true
}

variable "publicly_accessible" {
  description = "Gives the database a public address. Needs allow_public."
  type        = bool
  default     = false

  validation {
    condition     = !var.publicly_accessible || var.allow_public
    error_message = "publicly_accessible puts the database on the internet. Leave it out, or say allow_public = true as well if that is meant."
  }
}

variable "allow_public" {
  description = "Confirms that a public address is intended."
  type        = bool
  default     = false
}

variable "sslmode" {
  description = "How clients check the server: require encrypts; verify-full checks the certificate too and needs the authority of RDS in ca_bundle of modules/slipway."
  type        = string
  default     = "require"

  validation {
    condition     = contains(["require", "verify-ca", "verify-full"], var.sslmode)
    error_message = "sslmode must be require, verify-ca or verify-full: the server refuses connections without TLS."
  }
}
