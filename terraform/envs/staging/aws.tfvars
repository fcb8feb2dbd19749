# As production, with less of it. Account, zone and ranges are examples: put yours in their place.
environment         = "staging"
account_id          = "222222222222"
region              = "eu-central-1"
availability_zones  = ["eu-central-1a", "eu-central-1b"]
cidr                = "10.20.0.0/16"
log_retention_days  = 90
public_access_cidrs = ["203.0.113.0/24"]
database            = { instance_class = "db.t4g.medium", multi_az = true, backup_days = 7 }
agent_namespaces    = ["demo"]
hostname            = "agents.staging.example.com"
zone_id             = "Z0EXAMPLESTAGING00000"
