# In front of a gateway that is there already.

provider "azurerm" {
  subscription_id = "11111111-1111-4111-8111-111111111111"

  features {}
}

resource "azurerm_resource_group" "this" {
  name     = "slipway-dev"
  location = "westeurope"
}

module "dns" {
  source = "../../../dns"

  domain              = "example.com"
  resource_group_name = azurerm_resource_group.this.name
}

module "front_door" {
  source = "../.."

  name                    = "slipway-dev"
  resource_group_name     = azurerm_resource_group.this.name
  hostname                = "agents.example.com"
  zone_id                 = module.dns.zone_id
  zone_name               = "example.com"
  private_link_location   = "westeurope"
  private_link_service_id = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/slipway-dev-nodes/providers/Microsoft.Network/privateLinkServices/slipway-dev-gateway"
}

output "url" {
  description = "Where users reach the gateway."
  value       = module.front_door.url
}
