# An installation for development, reached through a port-forward.

provider "google" {
  project = "example-project"
  region  = "europe-west4"
}

data "google_client_config" "this" {}

# The control plane's DNS name has a certificate that every machine trusts, and IAM checks the token.
provider "kubernetes" {
  host  = "https://${module.platform.cluster_endpoint}"
  token = data.google_client_config.this.access_token
}

provider "helm" {
  kubernetes = {
    host  = "https://${module.platform.cluster_endpoint}"
    token = data.google_client_config.this.access_token
  }
}

module "platform" {
  source                = "../.."
  project_id            = "example-project"
  region                = "europe-west4"
  name                  = "slipway-dev"
  dns_endpoint_external = true
  deletion_protection   = false
  agent_namespaces      = ["demo"]
  postgres              = { tier = "db-f1-micro", high_availability = false, max_connections = 100 }
}

output "registry_url" {
  description = "Where images are pushed to."
  value       = module.platform.registry_url
}
