# A private cluster in a network of its own.

provider "azurerm" {
  subscription_id = "11111111-1111-4111-8111-111111111111"

  features {}
}

resource "azurerm_resource_group" "this" {
  name     = "slipway-dev"
  location = "westeurope"
}

module "network" {
  source = "../../../network"

  name                = "slipway-dev"
  location            = "westeurope"
  resource_group_name = azurerm_resource_group.this.name
}

module "cluster" {
  source = "../.."

  name                = "slipway-dev"
  location            = "westeurope"
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = module.network.nodes_subnet_id
  admin_group_ids     = ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  value       = module.cluster.oidc_issuer_url
}
