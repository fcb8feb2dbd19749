# Private throughout: Terraform runs inside the network, and users come in through Front Door. Subscription, groups and
# names are examples: put yours in their place.
environment         = "prod"
subscription_id     = "33333333-3333-4333-8333-333333333333"
name                = "example-slipway-prod"
location            = "westeurope"
admin_group_ids     = ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa3"]
cidr                = "10.30.0.0/16"
cluster             = { min = 3, max = 12 }
database            = { sku_name = "GP_Standard_D4ds_v5", storage_mb = 131072, backup_days = 35 }
log_retention_days  = 365
deletion_protection = true
gateway_replicas    = 3
agent_namespaces    = ["demo"]
domain              = "example.com"
hostname            = "agents.example.com"
