# A zone whose own name is the gateway's.

provider "google" {
  project = "example-project"
  region  = "europe-west4"
}

module "dns" {
  source     = "../.."
  project_id = "example-project"
  name       = "slipway-dev"
  domain     = "agents.example.com"
  hostname   = "agents.example.com"
}

output "name_servers" {
  description = "Write these into example.com as NS records of agents."
  value       = module.dns.name_servers
}
