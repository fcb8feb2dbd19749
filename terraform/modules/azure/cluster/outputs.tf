output "name" {
  description = "Name of the cluster, for `az aks get-credentials` and `kubelogin`."
  value       = azurerm_kubernetes_cluster.this.name
}

output "id" {
  description = "Id of the cluster."
  value       = azurerm_kubernetes_cluster.this.id
}

output "host" {
  description = "Address of the API server, for the kubernetes and helm providers; known once there are nodes for Slipway."
  value       = azurerm_kubernetes_cluster.this.kube_config[0].host
  sensitive   = true
  depends_on  = [azurerm_kubernetes_cluster_node_pool.agents]
}

output "ca_certificate" {
  description = "Certificate authority of the API server, PEM."
  value       = base64decode(azurerm_kubernetes_cluster.this.kube_config[0].cluster_ca_certificate)
  sensitive   = true
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens, for federated credentials (workload identity)."
  value       = azurerm_kubernetes_cluster.this.oidc_issuer_url
}

output "kubelet_principal_id" {
  description = "Principal that pulls images: give it AcrPull on the registry."
  value       = azurerm_user_assigned_identity.kubelet.principal_id
}

output "secrets_provider_principal_id" {
  description = "Principal of the Key Vault add-on, which mounts secrets into pods."
  value       = azurerm_kubernetes_cluster.this.key_vault_secrets_provider[0].secret_identity[0].object_id
}

output "node_resource_group_id" {
  description = "Id of the resource group that AKS makes for nodes and load balancers; the gateway's Private Link service is in it."
  value       = azurerm_kubernetes_cluster.this.node_resource_group_id
}
