output "namespace" {
  description = "Namespace of the operator and the gateway."
  value       = helm_release.slipway.namespace
}

output "agent_namespaces" {
  description = "Namespaces that were made for agents."
  value       = sort([for made in kubernetes_namespace_v1.agents : made.metadata[0].name])
}

output "gateway_service" {
  description = "Name of the gateway's Service, port 80, in the namespace of the release."
  value       = "slipway-gateway"
}

output "gateway_internal_url" {
  description = "Where the gateway is reached inside the cluster."
  value       = "http://slipway-gateway.${var.namespace}.svc.cluster.local"
}

output "gateway_url" {
  description = "Where users reach the gateway; null without an Ingress."
  value       = var.ingress == null ? null : "https://${var.ingress.hostname}"
}

output "ingress_hostname" {
  description = "Hostname of the cloud's load balancer once it has one, for a CNAME record; null where it has an address only."
  value       = try(kubernetes_ingress_v1.gateway[0].status[0].load_balancer[0].ingress[0].hostname, null)
}

output "ingress_address" {
  description = "IP address of the cloud's load balancer once it has one, for an A record; null where it has a hostname only."
  value       = try(kubernetes_ingress_v1.gateway[0].status[0].load_balancer[0].ingress[0].ip, null)
}

output "health_path" {
  description = "Path that answers 200 while the gateway can serve, for health checks of load balancers and DNS."
  value       = "/readyz"
}
