provider "google" {
  project = var.project_id
  region  = var.region

  default_labels = {
    app         = "slipway"
    environment = var.environment
    managed-by  = "terraform"
  }
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
