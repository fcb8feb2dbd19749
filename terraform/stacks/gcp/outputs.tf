output "cluster_name" {
  description = "Name of the cluster."
  value       = module.platform.cluster_name
}

output "registry_url" {
  description = "Where images are pushed to: REGISTRY_URL/runtime:TAG and so on."
  value       = module.platform.registry_url
}

output "database_secret_id" {
  description = "Id of the database's DSN in Secret Manager."
  value       = module.platform.database_secret_id
}

output "gateway_hostname" {
  description = "Public hostname of the gateway; null without one."
  value       = module.platform.gateway_hostname
}

output "gateway_address" {
  description = "Public IPv4 address of the gateway; null without a hostname."
  value       = module.platform.gateway_address
}

output "name_servers" {
  description = "Name servers of the zone, to be written as NS records into the domain above; null without a hostname."
  value       = module.platform.name_servers
}

output "dns_authorization_records" {
  description = "By hostname, the record that proves that it is yours; those in the zone are written already."
  value       = module.platform.dns_authorization_records
}

output "edge_values" {
  description = "Values of the chart edge, for a pipeline that installs it; null without a hostname."
  value       = module.platform.edge_values
}

output "gateway_internal_url" {
  description = "Where the gateway is reached inside the cluster; null if the chart is not installed here."
  value       = module.platform.gateway_internal_url
}
