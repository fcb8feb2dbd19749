# A cluster whose API server one office reaches.

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
  source = "../../../network"

  name               = "slipway-dev"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  kms_key_arn        = module.encryption.key_arn
}

module "cluster" {
  source = "../.."

  name                = "slipway-dev"
  subnet_ids          = module.network.private_subnet_ids
  public_access_cidrs = ["203.0.113.0/24"]
  kms_key_arn         = module.encryption.key_arn
}

output "endpoint" {
  description = "URL of the API server."
  value       = module.cluster.endpoint
}
