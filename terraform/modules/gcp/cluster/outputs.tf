output "name" {
  description = "The cluster's name."
  value       = google_container_cluster.this.name
}

output "endpoint" {
  description = "DNS name of the control plane. Its certificate is one that every machine trusts, so no authority has to be passed on."
  value       = try(google_container_cluster.this.control_plane_endpoints_config[0].dns_endpoint_config[0].endpoint, null)
}

output "node_service_account_member" {
  description = "The nodes' service account as IAM policies name it: let it read the image registry."
  value       = "serviceAccount:${google_service_account.nodes.email}"
}

output "workload_identity_pool" {
  description = "Pool of the cluster's workload identities."
  value       = "${var.project_id}.svc.id.goog"
}
