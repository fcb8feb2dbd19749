# As production, with less of it. Account, project, zone and ranges are examples: put yours in their place.
environment      = "staging"
hostname         = "ha.staging.example.com"
zone_id          = "Z0EXAMPLESTAGING00000"
agent_namespaces = ["demo"]

aws = {
  account_id          = "222222222222"
  region              = "eu-central-1"
  availability_zones  = ["eu-central-1a", "eu-central-1b"]
  cidr                = "10.21.0.0/16"
  public_access_cidrs = ["203.0.113.0/24"]
  database            = { backup_days = 7 }
}

gcp = {
  project_id            = "example-slipway-staging"
  region                = "europe-west4"
  dns_endpoint_external = true
  postgres              = { retained_backups = 7 }
}
