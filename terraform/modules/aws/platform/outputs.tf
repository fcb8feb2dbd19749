output "cluster_name" {
  description = "The cluster's name, for `aws eks update-kubeconfig --name`."
  value       = module.cluster.name
}

output "cluster_endpoint" {
  description = "URL of the API server, for the providers of Kubernetes and Helm."
  value       = module.cluster.endpoint
}

output "cluster_ca_certificate" {
  description = "PEM text of the authority of the API server, for the same."
  value       = module.cluster.ca_certificate
}

output "image_registry" {
  description = "Where the pipeline pushes images: IMAGE_REGISTRY/runtime:TAG and so on."
  value       = module.registry.image_registry
}

output "database_secret_arn" {
  description = "Secret of Secrets Manager with the store's DSN, for whoever installs the chart by other means."
  value       = module.secrets.secret_arns["database-dsn"]
}

output "read_secrets_policy_arn" {
  description = "Policy that reads the installation's secrets, for workload_identities."
  value       = module.secrets.read_policy_arn
}

output "ingress" {
  description = "Hostnames, class and annotations of the gateway's Ingress, for whoever installs the chart by other means; null without a hostname."
  value       = local.ingress
}

output "redis_url" {
  description = "rediss:// URL with the password; null without Redis."
  value       = var.redis == null ? null : module.redis[0].url
  sensitive   = true
}

output "gateway_hostname" {
  description = "Name at which users reach the gateway; null if there is none."
  value       = var.hostname
}

output "gateway_url" {
  description = "URL at which users reach the gateway; null if there is none."
  value       = var.hostname == null ? null : "https://${var.hostname}"
}

output "health_path" {
  description = "Path that answers 200 while the gateway can serve."
  value       = "/readyz"
}

output "zone_id" {
  description = "Id of the zone; null without a hostname."
  value       = var.hostname == null ? null : module.dns[0].zone_id
}

output "name_servers" {
  description = "What to enter at the parent's registrar if the zone was made here; empty otherwise."
  value       = var.hostname == null ? [] : module.dns[0].name_servers
}

output "nat_addresses" {
  description = "Public addresses that the installation is seen from."
  value       = module.network.nat_addresses
}
