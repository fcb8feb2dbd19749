# Production: protected against deletion, a control plane that only the VPC and the VPN reach, room in the database.

environment         = "prod"
project_id          = "example-slipway-prod"
region              = "europe-west4"
name                = "slipway-prod"
release_channel     = "STABLE"
control_plane_cidrs = { vpn = "10.100.0.0/24" }
hostname            = "gcp.agents.example.com"
deletion_protection = true

postgres = {
  tier              = "db-custom-4-15360"
  high_availability = true
  disk_gb           = 100
  disk_limit_gb     = 1000
  max_connections   = 500
  retained_backups  = 30
}

registry_writers        = { pipeline = "serviceAccount:pipeline@example-slipway-prod.iam.gserviceaccount.com" }
database_secret_readers = { pipeline = "serviceAccount:pipeline@example-slipway-prod.iam.gserviceaccount.com" }
agent_namespaces        = ["agents"]
gateway_replicas        = 3
