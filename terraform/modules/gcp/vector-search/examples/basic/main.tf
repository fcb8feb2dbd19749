# What Slipway's back end for Vector Search 2.0 needs.

provider "google" {
  project = "example-project"
  region  = "europe-west4"
}

module "vector_search" {
  source     = "../.."
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
  users      = { agents = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/example-project.svc.id.goog/subject/ns/default/sa/default" }
}

output "connection" {
  description = "The connection document of a VectorIndex."
  value       = module.vector_search.connection
}
