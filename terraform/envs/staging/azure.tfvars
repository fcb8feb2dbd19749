# Production's shape at a smaller size. Subscription, group, ranges and names are examples: put yours in their place.
environment        = "staging"
subscription_id    = "22222222-2222-4222-8222-222222222222"
name               = "example-slipway-stg"
location           = "westeurope"
admin_group_ids    = ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2"]
cidr               = "10.20.0.0/16"
access_ranges      = ["203.0.113.0/24"]
cluster            = { min = 2, max = 4 }
database           = { high_availability = false }
log_retention_days = 30
agent_namespaces   = ["demo"]
domain             = "staging.example.com"
hostname           = "agents.staging.example.com"
