# An index with an address in a network of its own.

provider "google" {
  project = "example-project"
  region  = "europe-west4"
}

module "network" {
  source     = "../../../network"
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
}

module "vector_search" {
  source        = "../.."
  project_id    = "example-project"
  region        = "europe-west4"
  name          = "slipway-dev"
  network_id    = module.network.network_id
  subnetwork_id = module.network.subnetwork_id
  min_replicas  = 1
  max_replicas  = 1
}

output "private_address" {
  description = "Address of the endpoint in the VPC."
  value       = module.vector_search.private_address
}
