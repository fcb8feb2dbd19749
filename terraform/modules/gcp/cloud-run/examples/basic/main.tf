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
  image         = "europe-west4-docker.pkg.dev/example-project/slipway-dev/runtime-chroma:1.0"
  proxy_image   = "europe-west4-docker.pkg.dev/example-project/slipway-dev/nginx-unprivileged:1.29"
  network_id    = module.network.network_id
  subnetwork_id = module.network.subnetwork_id
  invokers      = { team = "group:team@example.com" }

  manifests = {
    for name in fileset("${path.module}/agents", "*.yaml") : name => file("${path.module}/agents/${name}")
  }
}

output "url" {
  description = "Address of the service."
  value       = module.cloud_run.url
}
