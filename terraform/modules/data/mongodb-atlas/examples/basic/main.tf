# A cluster in Azure's West Europe, reached from one address.

terraform {
  required_providers {
    mongodbatlas = {
      source  = "mongodb/mongodbatlas"
      version = "~> 1.41"
    }
  }
}

# Keys come from MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY.
provider "mongodbatlas" {}

module "atlas" {
  source = "../.."

  name          = "slipway-dev"
  org_id        = "0123456789abcdef01234567"
  cloud         = "AZURE"
  region        = "EUROPE_WEST"
  access_ranges = { slipway = "203.0.113.7/32" }
}

output "url" {
  description = "Connection string."
  value       = module.atlas.url
  sensitive   = true
}
