# Three zones, a standby for everything, and an API server that the internet does not see: Terraform runs inside the VPC.
# Account, zone and ranges are examples: put yours in their place.
environment        = "prod"
account_id         = "333333333333"
region             = "eu-central-1"
availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
cidr               = "10.30.0.0/16"
database           = { instance_class = "db.m8g.large", storage_gib = 100, max_storage_gib = 1000, multi_az = true, backup_days = 35 }
gateway_replicas   = 3
agent_namespaces   = ["support"]
hostname           = "agents.example.com"
zone_id            = "Z0EXAMPLEPROD00000000"
