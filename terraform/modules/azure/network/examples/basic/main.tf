# With the defaults.

provider "azurerm" {
  subscription_id = "11111111-1111-4111-8111-111111111111"

  features {}
}

resource "azurerm_resource_group" "this" {
  name     = "slipway-dev"
  location = "westeurope"
}

module "network" {
  source = "../.."

  name                = "slipway-dev"
  location            = "westeurope"
  resource_group_name = azurerm_resource_group.this.name
}

output "outbound_address" {
  description = "Address that everything inside leaves from."
  value       = module.network.outbound_address
}
