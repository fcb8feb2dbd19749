# One secret that one pod may read.

provider "google" {
  project = "example-project"
  region  = "europe-west4"
}

variable "api_token" {
  description = "A token that an agent needs."
  type        = string
  sensitive   = true
}

module "secrets" {
  source     = "../.."
  project_id = "example-project"
  region     = "europe-west4"
  name       = "slipway-dev"
  secrets    = { api-token = var.api_token }
  readers = {
    agent = {
      secret = "api-token"
      member = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/example-project.svc.id.goog/subject/ns/demo/sa/default"
    }
  }
}
