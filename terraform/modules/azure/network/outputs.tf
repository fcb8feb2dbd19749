output "virtual_network_id" {
  description = "Id of the virtual network, for links of private DNS zones."
  value       = azurerm_virtual_network.this.id
}

output "nodes_subnet_id" {
  description = "Id of the subnet for the cluster's nodes; known once its way out exists."
  value       = azurerm_subnet.this["nodes"].id
  depends_on  = [azurerm_subnet_nat_gateway_association.this]
}

output "postgres_subnet_id" {
  description = "Id of the subnet that is delegated to PostgreSQL flexible servers."
  value       = azurerm_subnet.this["postgres"].id
}

output "endpoints_subnet_id" {
  description = "Id of the subnet for private endpoints."
  value       = azurerm_subnet.this["endpoints"].id
}

output "apps_subnet_id" {
  description = "Id of the subnet that is delegated to Container Apps."
  value       = azurerm_subnet.this["apps"].id
  depends_on  = [azurerm_subnet_nat_gateway_association.this]
}

output "outbound_address" {
  description = "IPv4 address that everything inside leaves from, for allow lists elsewhere."
  value       = azurerm_public_ip.nat.ip_address
}
