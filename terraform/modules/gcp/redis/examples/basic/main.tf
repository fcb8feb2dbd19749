# The smallest instance, in a network of its own.

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

module "redis" {
  source            = "../.."
  project_id        = "example-project"
  region            = "europe-west4"
  name              = "slipway-dev"
  network_id        = module.network.managed_services_network_id
  high_availability = false
}

output "host" {
  description = "Private address of the instance."
  value       = module.redis.host
}
