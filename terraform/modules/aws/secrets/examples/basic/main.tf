# Two secrets; the second one's value is written by hand.

provider "aws" {
  region = "eu-central-1"
}

module "encryption" {
  source = "../../../encryption"

  name       = "slipway-dev"
  account_id = "111111111111"
  region     = "eu-central-1"
}

variable "database_dsn" {
  description = "Connection string of the store."
  type        = string
  sensitive   = true
  default     = "postgresql://slipway:example@db.example.com:5432/slipway"
}

module "secrets" {
  source = "../.."

  name = "slipway-dev"
  secrets = {
    database-dsn = "Connection string of the store's administrator"
    openai-key   = "API key of the models' provider"
  }
  values      = { database-dsn = var.database_dsn }
  kms_key_arn = module.encryption.key_arn
}

output "read_policy_arn" {
  description = "Policy that reads both."
  value       = module.secrets.read_policy_arn
}
