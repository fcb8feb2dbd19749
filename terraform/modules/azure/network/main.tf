# One virtual network with a subnet for each kind of guest. Nothing here has an address of its own in the internet: what
# leaves goes through one NAT gateway, and users come in over Private Link (modules/azure/front-door).

locals {
  subnets = {
    nodes     = cidrsubnet(var.cidr, 4, 0)
    postgres  = cidrsubnet(var.cidr, 8, 16)
    endpoints = cidrsubnet(var.cidr, 8, 17)
    apps      = cidrsubnet(var.cidr, 7, 9)
  }

  # A subnet that is delegated belongs to that service alone.
  delegations = {
    postgres = "Microsoft.DBforPostgreSQL/flexibleServers"
    apps     = "Microsoft.App/environments"
  }

  # Container Apps and nodes pull images and call models; databases and private endpoints call nobody.
  with_way_out = toset(["nodes", "apps"])
}

resource "azurerm_virtual_network" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  address_space       = [var.cidr]
  tags                = var.tags
}

resource "azurerm_subnet" "this" {
  for_each = local.subnets

  name                            = "${var.name}-${each.key}"
  resource_group_name             = var.resource_group_name
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [each.value]
  default_outbound_access_enabled = false

  # The gateway's Private Link service takes its address from the nodes' subnet, which Azure allows only without these.
  private_link_service_network_policies_enabled = each.key != "nodes"

  dynamic "delegation" {
    for_each = contains(keys(local.delegations), each.key) ? [local.delegations[each.key]] : []

    content {
      name = each.key

      service_delegation {
        name    = delegation.value
        actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
      }
    }
  }
}

# Without rules of their own: Azure's let the virtual network and the load balancer's probes in, and nobody else.
resource "azurerm_network_security_group" "this" {
  for_each = local.subnets

  name                = "${var.name}-${each.key}"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_subnet_network_security_group_association" "this" {
  for_each = local.subnets

  subnet_id                 = azurerm_subnet.this[each.key].id
  network_security_group_id = azurerm_network_security_group.this[each.key].id
}

resource "azurerm_public_ip" "nat" {
  name                = "${var.name}-nat"
  location            = var.location
  resource_group_name = var.resource_group_name
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  sku_name            = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  nat_gateway_id       = azurerm_nat_gateway.this.id
  public_ip_address_id = azurerm_public_ip.nat.id
}

resource "azurerm_subnet_nat_gateway_association" "this" {
  for_each = local.with_way_out

  subnet_id      = azurerm_subnet.this[each.key].id
  nat_gateway_id = azurerm_nat_gateway.this.id
}
