# A registry that one cluster reads and one pipeline writes.

provider "google" {
  project = "example-project"
  region  = "europe-west4"
}

module "registry" {
  source     = "../.."
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
  readers    = { nodes = "serviceAccount:slipway-dev-nodes@example-project.iam.gserviceaccount.com" }
  writers    = { pipeline = "serviceAccount:pipeline@example-project.iam.gserviceaccount.com" }
}

output "url" {
  description = "What comes before an image's name."
  value       = module.registry.url
}
