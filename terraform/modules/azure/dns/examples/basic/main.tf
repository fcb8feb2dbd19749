# A zone whose certificates only Front Door's authority may sign.

provider "azurerm" {
  subscription_id = "11111111-1111-4111-8111-111111111111"

  features {}
}

resource "azurerm_resource_group" "this" {
  name     = "slipway-dev"
  location = "westeurope"
}

module "dns" {
  source = "../.."

  domain              = "agents.example.com"
  resource_group_name = azurerm_resource_group.this.name
}

output "name_servers" {
  description = "NS records for the domain above."
  value       = module.dns.name_servers
}
