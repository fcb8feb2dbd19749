output "resource_group_name" {
  description = "Resource group of the installation."
  value       = azurerm_resource_group.this.name
}

output "cluster_name" {
  description = "Name of the cluster, for `az aks get-credentials`."
  value       = module.cluster.name
}

output "cluster_host" {
  description = "Address of the API server, for the kubernetes and helm providers."
  value       = module.cluster.host
  sensitive   = true
}

output "cluster_ca_certificate" {
  description = "Certificate authority of the API server, PEM."
  value       = module.cluster.ca_certificate
  sensitive   = true
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens, for federated credentials."
  value       = module.cluster.oidc_issuer_url
}

output "image_registry" {
  description = "Where images are pushed to: IMAGE_REGISTRY/runtime:TAG and so on."
  value       = module.registry.image_registry
}

output "database_dsn" {
  description = "Connection string of the store's administrator."
  value       = module.postgres.dsn
  sensitive   = true
}

output "database_secret_id" {
  description = "Id of the connection string in the vault."
  value       = module.secrets.secret_ids["database-dsn"]
}

output "vault_name" {
  description = "Name of the vault."
  value       = module.secrets.name
}

output "redis_url" {
  description = "Connection string of the Redis; null without one."
  value       = one(module.redis[*].url)
  sensitive   = true
}

output "gateway_values" {
  description = "Values of the chart that open the gateway to Front Door, as YAML, for a pipeline that installs the chart itself."
  value       = yamlencode({ gateway = { service = { type = "LoadBalancer", annotations = local.service_annotations } } })
}

output "gateway_url" {
  description = "Where users reach the gateway; null without a hostname."
  value       = one(module.front_door[*].url)
}

output "gateway_internal_url" {
  description = "Where the gateway is reached inside the cluster; null if the chart is not installed here."
  value       = one(module.slipway[*].gateway_internal_url)
}

output "name_servers" {
  description = "Name servers of the zone, to be written as NS records into the domain above; null without a domain."
  value       = one(module.dns[*].name_servers)
}

output "outbound_address" {
  description = "IPv4 address that everything inside leaves from."
  value       = module.network.outbound_address
}
