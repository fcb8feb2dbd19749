output "name_servers" {
  description = "Name servers of the zone: write them as NS records into the domain above."
  value       = google_dns_managed_zone.this.name_servers
}

output "address" {
  description = "Public IPv4 address of the gateway."
  value       = google_compute_global_address.gateway.address
}

output "address_name" {
  description = "Name of the address, by which a Gateway of Kubernetes takes it."
  value       = google_compute_global_address.gateway.name
}

output "certificate_map_name" {
  description = "Name of the certificate map, for the annotation networking.gke.io/certmap."
  value       = google_certificate_manager_certificate_map.this.name
}

output "ssl_policy_name" {
  description = "Name of the TLS policy: TLS 1.2 and newer."
  value       = google_compute_ssl_policy.this.name
}

output "hostnames" {
  description = "All hostnames with a certificate."
  value       = sort(local.hostnames)
}

output "dns_authorization_records" {
  description = "By hostname, the record that proves that it is yours. Those of names in the domain are written already."
  value = { for host, authorization in google_certificate_manager_dns_authorization.this : host => {
    name  = authorization.dns_resource_record[0].name
    type  = "CNAME"
    value = authorization.dns_resource_record[0].data
  } }
}
