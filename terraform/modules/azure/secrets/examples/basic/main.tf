# A private vault with one secret. It has to be applied from inside the network.

provider "azurerm" {
  subscription_id = "11111111-1111-4111-8111-111111111111"

  features {}
}

data "azurerm_client_config" "this" {}

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
  name                = "privatelink.vaultcore.azure.net"
  resource_group_name = azurerm_resource_group.this.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  name                  = "slipway-dev"
  resource_group_name   = azurerm_resource_group.this.name
  private_dns_zone_name = azurerm_private_dns_zone.this.name
  virtual_network_id    = module.network.virtual_network_id
}

module "secrets" {
  source = "../.."

  name                 = "example-slipway-dev"
  location             = "westeurope"
  resource_group_name  = azurerm_resource_group.this.name
  tenant_id            = data.azurerm_client_config.this.tenant_id
  writer_principal_ids = { me = data.azurerm_client_config.this.object_id }
  secrets              = { example = "not-a-secret" }
  subnet_id            = module.network.endpoints_subnet_id
  private_dns_zone_id  = azurerm_private_dns_zone.this.id
}

output "secret_ids" {
  description = "Ids of the secrets."
  value       = module.secrets.secret_ids
}
