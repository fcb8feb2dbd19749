# A private server.

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

module "postgres" {
  source = "../.."

  name                = "example-slipway-dev"
  location            = "westeurope"
  resource_group_name = azurerm_resource_group.this.name
  network             = { subnet_id = module.network.postgres_subnet_id, virtual_network_id = module.network.virtual_network_id }
}

output "dsn" {
  description = "Connection string of the administrator."
  value       = module.postgres.dsn
  sensitive   = true
}
