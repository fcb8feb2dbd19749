# A cluster in a network of its own.

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

module "cluster" {
  source                = "../.."
  project_id            = "example-project"
  region                = "europe-west4"
  name                  = "slipway-dev"
  network_id            = module.network.network_id
  subnetwork_id         = module.network.subnetwork_id
  pod_range_name        = module.network.pod_range_name
  service_range_name    = module.network.service_range_name
  dns_endpoint_external = true
  deletion_protection   = false
}

output "endpoint" {
  description = "DNS name of the control plane."
  value       = module.cluster.endpoint
}
