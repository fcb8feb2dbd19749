# The handbook's agent inside a network of its own.

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

module "app" {
  source = "../.."

  name                = "slipway-dev"
  location            = "westeurope"
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = module.network.apps_subnet_id
  image               = "registry.example.com/slipway/standalone:0.1.0"
  manifests           = { for name in ["agent.yaml", "vectorindex.yaml", "documents-1.yaml"] : name => file("${path.module}/../../../../../../examples/handbook/${name}") }
  api_keys            = [{ name = "alice", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }]
}

output "url" {
  description = "Where the app is reached inside the network."
  value       = module.app.url
}
