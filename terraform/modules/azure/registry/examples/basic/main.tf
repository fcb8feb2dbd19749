# A private registry.

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

resource "azurerm_private_dns_zone" "this" {
  name                = "privatelink.azurecr.io"
  resource_group_name = azurerm_resource_group.this.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  name                  = "slipway-dev"
  resource_group_name   = azurerm_resource_group.this.name
  private_dns_zone_name = azurerm_private_dns_zone.this.name
  virtual_network_id    = module.network.virtual_network_id
}

module "registry" {
  source = "../.."

  name                = "exampleslipwaydev"
  location            = "westeurope"
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = module.network.endpoints_subnet_id
  private_dns_zone_id = azurerm_private_dns_zone.this.id
}

output "image_registry" {
  description = "Where images are pushed to."
  value       = module.registry.image_registry
}
