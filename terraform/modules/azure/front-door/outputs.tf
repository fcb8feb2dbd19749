output "url" {
  description = "Where users reach the gateway."
  value       = "https://${azurerm_cdn_frontdoor_custom_domain.this.host_name}"
}

output "endpoint_hostname" {
  description = "Front Door's own name, which the CNAME record of the hostname leads to."
  value       = azurerm_cdn_frontdoor_endpoint.this.host_name
}
