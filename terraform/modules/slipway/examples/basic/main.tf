# A trial in the cluster of your kubeconfig.

provider "kubernetes" {
  config_path = "~/.kube/config"
}

provider "helm" {
  kubernetes = {
    config_path = "~/.kube/config"
  }
}

module "slipway" {
  source = "../.."

  name             = "slipway"
  image_registry   = "registry.example.com/slipway"
  image_tag        = "0.1.0"
  trial_database   = true
  agent_namespaces = ["demo"]
}

output "gateway" {
  description = "Where the gateway is reached inside the cluster."
  value       = module.slipway.gateway_internal_url
}
