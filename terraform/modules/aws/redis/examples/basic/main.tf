# A Redis that the cluster's pods reach.

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
  source = "../../../cluster"

  name        = "slipway-dev"
  subnet_ids  = module.network.private_subnet_ids
  kms_key_arn = module.encryption.key_arn
}

module "redis" {
  source = "../.."

  name                   = "slipway-dev"
  vpc_id                 = module.network.vpc_id
  subnet_ids             = module.network.database_subnet_ids
  client_security_groups = { cluster = module.cluster.security_group_id }
  kms_key_arn            = module.encryption.key_arn
}

output "address" {
  description = "Hostname of the server."
  value       = module.redis.address
}
