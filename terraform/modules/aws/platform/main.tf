# One installation of Slipway on AWS: everything the chart needs, and the chart.

module "encryption" {
  source = "../encryption"

  name         = var.name
  account_id   = var.account_id
  region       = var.region
  region_check = var.region_check
}

module "network" {
  source = "../network"

  name               = var.name
  cidr               = var.cidr
  availability_zones = var.availability_zones
  region_check       = var.region_check
  single_nat         = var.single_nat
  kms_key_arn        = module.encryption.key_arn
  log_retention_days = var.log_retention_days
}

module "cluster" {
  source = "../cluster"

  name                 = var.name
  kubernetes_version   = var.kubernetes_version
  subnet_ids           = module.network.private_subnet_ids
  public_access_cidrs  = var.public_access_cidrs
  admin_principal_arns = var.admin_principal_arns
  workload_identities  = var.workload_identities
  kms_key_arn          = module.encryption.key_arn
  log_retention_days   = var.log_retention_days
  deletion_protection  = var.deletion_protection
}

module "registry" {
  source = "../registry"

  name                = var.name
  push_principal_arns = var.push_principal_arns
  force_delete        = !var.deletion_protection
  kms_key_arn         = module.encryption.key_arn
}

module "postgres" {
  source = "../postgres"

  name                   = var.name
  vpc_id                 = module.network.vpc_id
  subnet_ids             = module.network.database_subnet_ids
  client_security_groups = { cluster = module.cluster.security_group_id }
  instance_class         = var.database.instance_class
  storage_gib            = var.database.storage_gib
  max_storage_gib        = var.database.max_storage_gib
  multi_az               = var.database.multi_az
  backup_days            = var.database.backup_days
  sslmode                = var.ca_bundle == null ? "require" : "verify-full"
  kms_key_arn            = module.encryption.key_arn
  deletion_protection    = var.deletion_protection
}

module "redis" {
  source = "../redis"
  count  = var.redis == null ? 0 : 1

  name                   = var.name
  vpc_id                 = module.network.vpc_id
  subnet_ids             = module.network.database_subnet_ids
  client_security_groups = { cluster = module.cluster.security_group_id }
  node_type              = var.redis.node_type
  nodes                  = var.redis.nodes
  kms_key_arn            = module.encryption.key_arn
}

module "secrets" {
  source = "../secrets"

  name                 = var.name
  secrets              = { database-dsn = "Connection string of the store's administrator" }
  values               = { database-dsn = module.postgres.dsn }
  kms_key_arn          = module.encryption.key_arn
  recovery_window_days = var.deletion_protection ? 30 : 0
}

module "dns" {
  source = "../dns"
  count  = var.hostname == null ? 0 : 1

  zone_id   = var.zone_id
  zone_name = var.zone_name
  hostnames = concat([var.hostname], var.additional_hostnames)
}

module "slipway" {
  source = "../../slipway"
  count  = var.install_slipway ? 1 : 0

  image_registry   = coalesce(var.image_registry, module.registry.image_registry)
  image_tag        = var.image_tag
  database_dsn     = module.postgres.dsn
  ca_bundle        = var.ca_bundle
  agent_namespaces = var.agent_namespaces
  api_keys         = var.api_keys
  default_agent    = var.default_agent
  gateway_replicas = var.gateway_replicas
  otlp_endpoint    = var.otlp_endpoint
  extra_values     = var.extra_values
  ingress          = local.ingress

  depends_on = [
    kubernetes_storage_class_v1.default,
    kubernetes_config_map_v1.network_policies,
    kubernetes_ingress_class_v1.alb,
  ]
}

# The load balancer's name is known once it exists. A CNAME, because only ELB's own zone would allow an alias.
resource "aws_route53_record" "gateway" {
  count = var.install_slipway && var.hostname != null ? 1 : 0

  zone_id = module.dns[0].zone_id
  name    = var.hostname
  type    = "CNAME"
  ttl     = 60
  records = [module.slipway[0].ingress_hostname]
}
