# A small database for development in a network of its own.

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

module "postgres" {
  source              = "../.."
  project_id          = "example-project"
  region              = "europe-west4"
  name                = "slipway-dev"
  network_id          = module.network.managed_services_network_id
  tier                = "db-f1-micro"
  max_connections     = 100
  high_availability   = false
  deletion_protection = false
}

output "dsn" {
  description = "How the operator signs in."
  value       = module.postgres.dsn
  sensitive   = true
}
