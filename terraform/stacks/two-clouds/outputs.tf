output "url" {
  description = "Where users reach whichever installation serves."
  value       = module.failover.url
}

output "failover_records" {
  description = "By PRIMARY and SECONDARY, what Route 53 answers with."
  value       = module.failover.records
}

output "health_checks" {
  description = "By PRIMARY and SECONDARY, the URL that the health check asks."
  value       = module.failover.checked
}

output "image_registries" {
  description = "By cloud, where the pipeline pushes the same images."
  value       = { aws = module.aws.image_registry, gcp = module.gcp.registry_url }
}

output "cluster_names" {
  description = "By cloud, the cluster's name."
  value       = { aws = module.aws.cluster_name, gcp = module.gcp.cluster_name }
}

output "database_secrets" {
  description = "By cloud, the secret that holds the store's DSN."
  value       = { aws = module.aws.database_secret_arn, gcp = module.gcp.database_secret_id }
}

output "ingress" {
  description = "On AWS: hostnames, class and annotations of the gateway's Ingress, for a pipeline that installs the chart itself."
  value       = module.aws.ingress
}

output "edge_values" {
  description = "On Google Cloud: values of the chart edge, for the same."
  value       = module.gcp.edge_values
}
