output "zone_id" {
  description = "Id of the zone."
  value       = azurerm_dns_zone.this.id
}

output "zone_name" {
  description = "Name of the zone; known once its CAA record is there."
  value       = azurerm_dns_zone.this.name
  depends_on  = [azurerm_dns_caa_record.this]
}

output "name_servers" {
  description = "Name servers of the zone, to be written as NS records into the domain above. Until then, nothing here resolves."
  value       = azurerm_dns_zone.this.name_servers
}
