# A registry that a pipeline pushes to.

provider "aws" {
  region = "eu-central-1"
}

module "encryption" {
  source = "../../../encryption"

  name       = "slipway-dev"
  account_id = "111111111111"
  region     = "eu-central-1"
}

module "registry" {
  source = "../.."

  name                = "slipway-dev"
  push_principal_arns = ["arn:aws:iam::111111111111:role/delivery"]
  kms_key_arn         = module.encryption.key_arn
}

output "image_registry" {
  description = "Host and path of the images."
  value       = module.registry.image_registry
}
