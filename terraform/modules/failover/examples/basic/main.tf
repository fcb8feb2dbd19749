# Two installations that exist already, one name.

provider "aws" {
  region = "eu-central-1"
}

module "failover" {
  source = "../.."

  name      = "slipway-prod"
  zone_id   = "Z0123456789ABCDEFGHIJ"
  hostname  = "agents.example.com"
  primary   = { hostname = "aws.agents.example.com" }
  secondary = { hostname = "gcp.agents.example.com" }
}

output "url" {
  description = "Where users reach whichever installation serves."
  value       = module.failover.url
}
