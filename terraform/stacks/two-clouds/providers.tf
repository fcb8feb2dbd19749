provider "aws" {
  region              = var.aws.region
  allowed_account_ids = [var.aws.account_id]

  default_tags {
    tags = {
      application = "slipway"
      environment = var.environment
      managed-by  = "terraform"
    }
  }
}

provider "google" {
  project = var.gcp.project_id
  region  = var.gcp.region

  default_labels = {
    application = "slipway"
    environment = var.environment
    managed-by  = "terraform"
  }
}

data "google_client_config" "this" {}

locals {
  eks_token = {
    api_version = "client.authentication.k8s.io/v1beta1"
    command     = "aws"
    args        = ["eks", "get-token", "--region", var.aws.region, "--cluster-name", module.aws.cluster_name]
  }
}

# Two clusters, so every provider that talks to one has two configurations.
provider "kubernetes" {
  alias                  = "aws"
  host                   = module.aws.cluster_endpoint
  cluster_ca_certificate = module.aws.cluster_ca_certificate

  exec {
    api_version = local.eks_token.api_version
    command     = local.eks_token.command
    args        = local.eks_token.args
  }
}

provider "helm" {
  alias = "aws"

  kubernetes = {
    host                   = module.aws.cluster_endpoint
    cluster_ca_certificate = module.aws.cluster_ca_certificate
    exec                   = local.eks_token
  }
}

provider "kubernetes" {
  alias = "gcp"
  host  = "https://${module.gcp.cluster_endpoint}"
  token = data.google_client_config.this.access_token
}

provider "helm" {
  alias = "gcp"

  kubernetes = {
    host  = "https://${module.gcp.cluster_endpoint}"
    token = data.google_client_config.this.access_token
  }
}
