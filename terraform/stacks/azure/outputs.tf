output "resource_group_name" {
  description = "Resource group of the environment."
  value       = module.platform.resource_group_name
}

output "cluster_name" {
  description = "Name of the cluster, for `az aks get-credentials`."
  value       = module.platform.cluster_name
}

output "image_registry" {
  description = "Where images are pushed to: IMAGE_REGISTRY/runtime:TAG and so on."
  value       = module.platform.image_registry
}

output "database_secret_id" {
  description = "Id of the database's connection string in the vault."
  value       = module.platform.database_secret_id
}

output "gateway_values" {
  description = "Values of the chart that open the gateway to Front Door, as YAML, for a pipeline that installs the chart itself."
  value       = module.platform.gateway_values
}

output "gateway_url" {
  description = "Where users reach the gateway; null without a hostname."
  value       = module.platform.gateway_url
}

output "name_servers" {
  description = "Name servers of the zone, to be written as NS records into the domain above; null without a domain."
  value       = module.platform.name_servers
}
