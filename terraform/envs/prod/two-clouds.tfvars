# AWS first, Google Cloud when AWS fails. The API server on AWS is private: Terraform runs inside that VPC.
# Account, project, zone and topic are examples: put yours in their place.
environment      = "prod"
hostname         = "ha.example.com"
zone_id          = "Z0EXAMPLEPROD00000000"
primary          = "aws"
gateway_replicas = 3
agent_namespaces = ["support"]
alarm_topic_arns = ["arn:aws:sns:us-east-1:333333333333:slipway-pager"]

aws = {
  account_id         = "333333333333"
  region             = "eu-central-1"
  availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  cidr               = "10.31.0.0/16"
  database           = { instance_class = "db.m8g.large", storage_gib = 100, max_storage_gib = 1000, backup_days = 35 }
}

gcp = {
  project_id            = "example-slipway-prod"
  region                = "europe-west4"
  dns_endpoint_external = true
  postgres              = { tier = "db-custom-4-15360", disk_gb = 100, disk_limit_gb = 1000, max_connections = 500, retained_backups = 30 }
}
