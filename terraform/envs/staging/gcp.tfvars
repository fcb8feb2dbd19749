# Staging: what prod is, smaller, so that what passes here passes there.

environment           = "staging"
project_id            = "example-slipway-staging"
region                = "europe-west4"
name                  = "slipway-staging"
dns_endpoint_external = true
hostname              = "staging.gcp.agents.example.com"
deletion_protection   = false

postgres = {
  tier              = "db-custom-1-3840"
  high_availability = true
}

registry_writers = { pipeline = "serviceAccount:pipeline@example-slipway-staging.iam.gserviceaccount.com" }
agent_namespaces = ["demo"]
