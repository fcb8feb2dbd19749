output "network_id" {
  description = "The VPC's id."
  value       = google_compute_network.this.id
}

output "network_name" {
  description = "The VPC's name."
  value       = google_compute_network.this.name
}

output "managed_services_network_id" {
  description = "The VPC's id, known only once managed services can be reached in it: for Cloud SQL and Memorystore."
  value       = google_compute_network.this.id
  depends_on  = [google_service_networking_connection.managed_services]
}

output "subnetwork_id" {
  description = "Id of the cluster's subnetwork, known only once there is a way out of it: nodes fetch images at once."
  value       = google_compute_subnetwork.cluster.id
  depends_on  = [google_compute_router_nat.this]
}

output "pod_range_name" {
  description = "Name of the subnetwork's secondary range for pods."
  value       = google_compute_subnetwork.cluster.secondary_ip_range[0].range_name
}

output "service_range_name" {
  description = "Name of the subnetwork's secondary range for Services."
  value       = google_compute_subnetwork.cluster.secondary_ip_range[1].range_name
}
