# One agent for one team.

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

module "cloud_run" {
  source        = "../.."
  project_id    = "example-project"
  region        = "europe-west4"
  name          = "slipway-dev"
  image         = "europe-west4-docker.pkg.dev/example-project/slipway-dev/standalone:1.0"
  network_id    = module.network.network_id
  subnetwork_id = module.network.subnetwork_id
  invokers      = { team = "group:team@example.com" }

  # slipway keys new alice
  api_keys = [{ name = "alice", sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" }]

  manifests = {
    for name in fileset("${path.module}/agents", "*.yaml") : name => file("${path.module}/agents/${name}")
  }
}

output "url" {
  description = "Address of the service."
  value       = module.cloud_run.url
}
