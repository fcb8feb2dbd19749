output "url" {
  description = "What comes before an image's name: the chart's value image.registry."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${var.name}"
}

output "repository_id" {
  description = "The repository's name."
  value       = google_artifact_registry_repository.this.repository_id
}
