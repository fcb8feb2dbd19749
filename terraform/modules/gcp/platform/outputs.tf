output "cluster_name" {
  description = "Name of the cluster."
  value       = module.cluster.name
}

output "cluster_endpoint" {
  description = "DNS name of the cluster's control plane, for the providers of a root module."
  value       = module.cluster.endpoint
}

output "workload_identity_pool" {
  description = "Pool of the cluster's workload identities."
  value       = module.cluster.workload_identity_pool
}

output "registry_url" {
  description = "Where images are pushed to: REGISTRY_URL/runtime:TAG and so on."
  value       = module.registry.url
}

output "network_id" {
  description = "The VPC's id."
  value       = module.network.network_id
}

output "subnetwork_id" {
  description = "The cluster's subnetwork."
  value       = module.network.subnetwork_id
}

output "database_secret_id" {
  description = "Id of the database's DSN in Secret Manager."
  value       = module.secrets.secret_ids["database"]
}

output "redis_host" {
  description = "Private address of the Redis; null without one."
  value       = one(module.redis[*].host)
}

output "gateway_hostname" {
  description = "Public hostname of the gateway; null without one."
  value       = var.hostname
}

output "gateway_address" {
  description = "Public IPv4 address of the gateway; null without a hostname."
  value       = one(module.dns[*].address)
}

output "name_servers" {
  description = "Name servers of the zone, to be written as NS records into the domain above; null without a hostname."
  value       = one(module.dns[*].name_servers)
}

output "dns_authorization_records" {
  description = "By hostname, the record that proves that it is yours; those in the zone are written already."
  value       = merge(module.dns[*].dns_authorization_records...)
}

output "edge_values" {
  description = "Values of the chart edge, for a pipeline that installs it; null without a hostname."
  value       = one(local.edge_values)
}

output "gateway_internal_url" {
  description = "Where the gateway is reached inside the cluster; null if the chart is not installed here."
  value       = one(module.slipway[*].gateway_internal_url)
}

output "health_path" {
  description = "Path that answers 200 while the gateway can serve."
  value       = "/readyz"
}
