# A key for one installation.

provider "aws" {
  region = "eu-central-1"
}

module "encryption" {
  source = "../.."

  name = "slipway-dev"
}

output "key_arn" {
  description = "ARN of the key."
  value       = module.encryption.key_arn
}
