# Small, cheap, and gone with one destroy. Account, zone and ranges are examples: put yours in their place.
environment         = "dev"
account_id          = "111111111111"
region              = "eu-central-1"
availability_zones  = ["eu-central-1a", "eu-central-1b"]
cidr                = "10.10.0.0/16"
single_nat          = true
log_retention_days  = 30
public_access_cidrs = ["203.0.113.0/24"]
deletion_protection = false
database            = { instance_class = "db.t4g.small", storage_gib = 20, max_storage_gib = 100, multi_az = false, backup_days = 1 }
gateway_replicas    = 1
agent_namespaces    = ["demo"]
hostname            = "agents.dev.example.com"
zone_id             = "Z0EXAMPLEDEV000000000"
