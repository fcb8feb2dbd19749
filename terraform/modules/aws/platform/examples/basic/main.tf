# A whole installation, without a chart at first: see the README.

provider "aws" {
  region = "eu-central-1"
}

provider "kubernetes" {
  host                   = module.platform.cluster_endpoint
  cluster_ca_certificate = module.platform.cluster_ca_certificate

  exec {
    api_version = "client.authentication.k8s.io/v1beta1"
    command     = "aws"
    args        = ["eks", "get-token", "--cluster-name", module.platform.cluster_name]
  }
}

provider "helm" {
  kubernetes = {
    host                   = module.platform.cluster_endpoint
    cluster_ca_certificate = module.platform.cluster_ca_certificate
    exec = {
      api_version = "client.authentication.k8s.io/v1beta1"
      command     = "aws"
      args        = ["eks", "get-token", "--cluster-name", module.platform.cluster_name]
    }
  }
}

module "platform" {
  source = "../.."

  name               = "slipway-dev"
  account_id         = "111111111111"
  region             = "eu-central-1"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  install_slipway    = false
  hostname           = "agents.example.com"
  zone_id            = "Z0123456789ABCDEFGHIJ"
}

output "image_registry" {
  description = "Where the images go before install_slipway is taken away."
  value       = module.platform.image_registry
}
