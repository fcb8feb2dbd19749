variable "name" {
  description = "Prefix of all names, so that several installations fit into one account and region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be at most 30 lower-case letters, digits and single hyphens, a letter first: suffixes are added, and an IAM role's name takes 64."
  }
}

variable "subnet_ids" {
  description = "Private subnets of nodes and control plane: an output of aws/network."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids needs two subnets or more, in different availability zones: make them with aws/network and pass private_subnet_ids."
  }

  validation {
    condition     = alltrue([for id in var.subnet_ids : startswith(id, "subnet-")])
    error_message = "subnet_ids takes ids such as subnet-0123456789abcdef0, not names or ARNs."
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

variable "kubernetes_version" {
  description = "Minor version of Kubernetes. Slipway is tested on 1.34, and its CRDs alone on 1.36; AWS decides which of them EKS offers."
  type        = string
  default     = "1.34"

  validation {
    condition     = contains(["1.34", "1.35", "1.36"], var.kubernetes_version)
    error_message = "kubernetes_version must be 1.34, 1.35 or 1.36: Slipway is expected to run on no other."
  }
}

variable "public_access_cidrs" {
  description = "Ranges from which the API server is reached over the internet. Empty: from inside the VPC only, so Terraform must run there."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrhost(cidr, 0))])
    error_message = "public_access_cidrs must be ranges in CIDR form, for example 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "public_access_cidrs must not open the API server to everybody: name the ranges of your offices and runners, /8 or smaller."
  }
}

variable "admin_principal_arns" {
  description = "IAM roles and users that administer the cluster, in addition to the identity that applies."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.admin_principal_arns : can(regex("^arn:aws:iam::[0-9]{12}:(role|user)/.+$", arn))])
    error_message = "admin_principal_arns must be ARNs of IAM roles or users: arn:aws:iam::ACCOUNT:role/NAME."
  }
}

variable "workload_identities" {
  description = "Cloud identity for pods: by name, the service account and the policies (a name of yours and its ARN) that its pods get."
  type = map(object({
    namespace       = string
    service_account = string
    policy_arns     = map(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.workload_identities) : can(regex("^[a-z][a-z0-9-]{0,28}$", name))])
    error_message = "Names of workload_identities must be at most 29 lower-case letters, digits and hyphens: an IAM role is named after them, and AWS takes 64 characters."
  }
}

variable "deletion_protection" {
  description = "Refuses to delete the cluster until it is switched off."
  type        = bool
  default     = true
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
