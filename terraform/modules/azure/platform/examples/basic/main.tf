# One installation, inside its network only. The stack stacks/azure shows how Terraform signs in to the cluster.

provider "azurerm" {
  subscription_id = "11111111-1111-4111-8111-111111111111"

  features {}
}

provider "kubernetes" {
  host                   = module.platform.cluster_host
  cluster_ca_certificate = module.platform.cluster_ca_certificate
}

provider "helm" {
  kubernetes = {
    host                   = module.platform.cluster_host
    cluster_ca_certificate = module.platform.cluster_ca_certificate
  }
}

module "platform" {
  source = "../.."

  name                  = "example-slipway-dev"
  location              = "westeurope"
  tenant_id             = "11111111-1111-4111-8111-111111111111"
  deployer_principal_id = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
  admin_group_ids       = ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]
}

output "image_registry" {
  description = "Where images are pushed to."
  value       = module.platform.image_registry
}
