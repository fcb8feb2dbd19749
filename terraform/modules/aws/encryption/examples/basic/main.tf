# A key for one installation.

provider "aws" {
  region = "eu-central-1"
}

module "encryption" {
  source = "../.."

  name       = "slipway-dev"
  account_id = "111111111111"
  region     = "eu-central-1"
}

output "key_arn" {
  description = "ARN of the key."
  value       = module.encryption.key_arn
}
