# A network with the default ranges.

provider "google" {
  project = "example-project"
  region  = "europe-west4"
}

module "network" {
  source     = "../.."
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
}

output "network_id" {
  description = "The VPC's id."
  value       = module.network.network_id
}
