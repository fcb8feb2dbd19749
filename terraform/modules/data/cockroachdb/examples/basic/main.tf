# A cluster in one region, reached from one address.

terraform {
  required_providers {
    cockroach = {
      source  = "cockroachdb/cockroach"
      version = "~> 1.16"
    }
  }
}

# The key comes from COCKROACH_API_KEY.
provider "cockroach" {}

module "cockroachdb" {
  source = "../.."

  name          = "slipway-dev"
  cloud         = "AWS"
  regions       = ["eu-central-1"]
  access_ranges = { slipway = "203.0.113.7/32" }
}

output "dsn" {
  description = "Connection string."
  value       = module.cockroachdb.dsn
  sensitive   = true
}
