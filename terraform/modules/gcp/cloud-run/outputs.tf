output "url" {
  description = "Address of the service. Ask with an identity token: gcloud auth print-identity-token."
  value       = google_cloud_run_v2_service.this.uri
}

output "service_name" {
  description = "The service's name."
  value       = google_cloud_run_v2_service.this.name
}

output "service_account_email" {
  description = "Whom the instance acts as."
  value       = google_service_account.this.email
}

output "bucket" {
  description = "The bucket with the manifests."
  value       = google_storage_bucket.manifests.name
}
