# Small, cheap, and gone with one destroy. Subscription, group and ranges are examples: put yours in their place.
environment         = "dev"
subscription_id     = "11111111-1111-4111-8111-111111111111"
name                = "example-slipway-dev"
location            = "westeurope"
admin_group_ids     = ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1"]
cidr                = "10.10.0.0/16"
access_ranges       = ["203.0.113.0/24"]
cluster             = { vm_size = "Standard_D2ds_v5", min = 1, max = 3, sku_tier = "Free" }
database            = { sku_name = "B_Standard_B2s", storage_mb = 32768, high_availability = false, backup_days = 7, geo_redundant_backup = false }
log_retention_days  = 30
deletion_protection = false
gateway_replicas    = 1
agent_namespaces    = ["demo"]
