output "cluster_name" {
  description = "The cluster's name, for `aws eks update-kubeconfig --name`."
  value       = module.platform.cluster_name
}

output "image_registry" {
  description = "Where the pipeline pushes images."
  value       = module.platform.image_registry
}

output "database_secret_arn" {
  description = "Secret of Secrets Manager with the store's DSN, for a pipeline that installs the chart itself."
  value       = module.platform.database_secret_arn
}

output "gateway_url" {
  description = "Where users reach the gateway; null if inside the cluster only."
  value       = module.platform.gateway_url
}

output "ingress" {
  description = "Hostnames, class and annotations of the gateway's Ingress, for a pipeline that installs the chart itself; null without a hostname."
  value       = module.platform.ingress
}
