# To try a fail-over, small and cheap. Account, project, zone and ranges are examples: put yours in their place.
environment         = "dev"
hostname            = "ha.dev.example.com"
zone_id             = "Z0EXAMPLEDEV000000000"
deletion_protection = false
gateway_replicas    = 1
agent_namespaces    = ["demo"]

aws = {
  account_id          = "111111111111"
  region              = "eu-central-1"
  availability_zones  = ["eu-central-1a", "eu-central-1b"]
  cidr                = "10.11.0.0/16"
  single_nat          = true
  public_access_cidrs = ["203.0.113.0/24"]
  database            = { instance_class = "db.t4g.small", storage_gib = 20, max_storage_gib = 100, multi_az = false, backup_days = 1 }
}

gcp = {
  project_id            = "example-slipway-dev"
  region                = "europe-west4"
  dns_endpoint_external = true
  postgres              = { tier = "db-custom-1-3840", high_availability = false, retained_backups = 7 }
}
