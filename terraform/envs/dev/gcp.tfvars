# Development: one zone for the database, nothing protected, Terraform from a laptop.

environment           = "dev"
project_id            = "example-slipway-dev"
region                = "europe-west4"
name                  = "slipway-dev"
release_channel       = "RAPID"
dns_endpoint_external = true
deletion_protection   = false

postgres = {
  tier              = "db-f1-micro"
  high_availability = false
  disk_gb           = 10
  max_connections   = 100
  retained_backups  = 7
}

agent_namespaces  = ["demo"]
gateway_replicas  = 1
operator_replicas = 1
