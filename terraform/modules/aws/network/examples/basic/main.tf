# A network with the default range, in two zones.

provider "aws" {
  region = "eu-central-1"
}

module "encryption" {
  source = "../../../encryption"

  name       = "slipway-dev"
  account_id = "111111111111"
  region     = "eu-central-1"
}

module "network" {
  source = "../.."

  name               = "slipway-dev"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  kms_key_arn        = module.encryption.key_arn
}

output "vpc_id" {
  description = "The VPC's id."
  value       = module.network.vpc_id
}
