# One installation of Slipway on Azure: everything the chart needs, and the chart.

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
  tags     = var.tags
}

resource "azurerm_log_analytics_workspace" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  sku                 = "PerGB2018"
  retention_in_days   = var.log_retention_days
  tags                = var.tags
}

module "network" {
  source = "../network"

  name                = var.name
  location            = var.location
  region_check        = var.region_check
  resource_group_name = azurerm_resource_group.this.name
  cidr                = var.cidr
  tags                = var.tags
}

module "cluster" {
  source = "../cluster"

  name                = var.name
  location            = var.location
  region_check        = var.region_check
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = module.network.nodes_subnet_id
  kubernetes_version  = var.kubernetes_version
  admin_group_ids     = var.admin_group_ids
  api_access_ranges   = var.access_ranges
  vm_size             = var.cluster.vm_size
  node_count          = { min = var.cluster.min, max = var.cluster.max }
  sku_tier            = var.cluster.sku_tier
  logs                = { workspace_id = azurerm_log_analytics_workspace.this.id }
  tags                = var.tags
}

# Azure prescribes the names, so there is one of each in the network, for every private endpoint of its kind.
resource "azurerm_private_dns_zone" "this" {
  for_each = {
    registry = "privatelink.azurecr.io"
    vault    = "privatelink.vaultcore.azure.net"
    redis    = "privatelink.redis.azure.net"
  }

  name                = each.value
  resource_group_name = azurerm_resource_group.this.name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each = azurerm_private_dns_zone.this

  name                  = "${var.name}-${each.key}"
  resource_group_name   = azurerm_resource_group.this.name
  private_dns_zone_name = each.value.name
  virtual_network_id    = module.network.virtual_network_id
  tags                  = var.tags
}

# There are no local accounts, so whoever applies this needs a role to install the chart.
resource "azurerm_role_assignment" "deployer" {
  scope                = module.cluster.id
  role_definition_name = "Azure Kubernetes Service RBAC Cluster Admin"
  principal_id         = var.deployer_principal_id
}

module "registry" {
  source = "../registry"

  name                = "${var.name}-images"
  location            = var.location
  region_check        = var.region_check
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = module.network.endpoints_subnet_id
  private_dns_zone_id = azurerm_private_dns_zone.this["registry"].id
  push_ranges         = var.access_ranges
  pull_principal_ids  = { cluster = module.cluster.kubelet_principal_id }
  push_principal_ids  = var.push_principal_ids
  tags                = var.tags
}

module "postgres" {
  source = "../postgres"

  name                  = "${var.name}-pg"
  location              = var.location
  region_check          = var.region_check
  resource_group_name   = azurerm_resource_group.this.name
  network               = { subnet_id = module.network.postgres_subnet_id, virtual_network_id = module.network.virtual_network_id }
  sku_name              = var.database.sku_name
  storage_mb            = var.database.storage_mb
  high_availability     = var.database.high_availability
  backup_retention_days = var.database.backup_days
  geo_redundant_backup  = var.database.geo_redundant_backup
  deletion_protection   = var.deletion_protection
  tags                  = var.tags
}

module "secrets" {
  source = "../secrets"

  name                 = "${var.name}-kv"
  location             = var.location
  region_check         = var.region_check
  resource_group_name  = azurerm_resource_group.this.name
  tenant_id            = var.tenant_id
  subnet_id            = module.network.endpoints_subnet_id
  private_dns_zone_id  = azurerm_private_dns_zone.this["vault"].id
  access_ranges        = var.access_ranges
  writer_principal_ids = { deployer = var.deployer_principal_id }
  reader_principal_ids = { cluster = module.cluster.secrets_provider_principal_id }
  secrets              = { database-dsn = module.postgres.dsn }
  tags                 = var.tags
}

module "redis" {
  source = "../redis"
  count  = var.redis == null ? 0 : 1

  name                = "${var.name}-redis"
  location            = var.location
  region_check        = var.region_check
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = module.network.endpoints_subnet_id
  private_dns_zone_id = azurerm_private_dns_zone.this["redis"].id
  sku_name            = var.redis.sku_name
  high_availability   = var.redis.high_availability
  tags                = var.tags
}

locals {
  private_link_service = "${var.name}-gateway"

  # An internal load balancer with a Private Link service, which AKS makes of these annotations. Front Door's end of the
  # link belongs to a subscription of Microsoft's, hence the visibility; a person approves the one connection.
  service_annotations = {
    "service.beta.kubernetes.io/azure-load-balancer-internal"                  = "true"
    "service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path" = "/readyz"
    "service.beta.kubernetes.io/azure-pls-create"                              = "true"
    "service.beta.kubernetes.io/azure-pls-name"                                = local.private_link_service
    "service.beta.kubernetes.io/azure-pls-visibility"                          = "*"
  }
}

module "slipway" {
  source = "../../slipway"
  count  = var.install_slipway ? 1 : 0

  image_registry      = module.registry.image_registry
  image_tag           = var.image_tag
  database_dsn        = module.postgres.dsn
  agent_namespaces    = var.agent_namespaces
  api_keys            = var.api_keys
  default_agent       = var.default_agent
  gateway_replicas    = var.gateway_replicas
  service_type        = "LoadBalancer"
  service_annotations = local.service_annotations

  depends_on = [azurerm_role_assignment.deployer, azurerm_private_dns_zone_virtual_network_link.this]
}

module "dns" {
  source = "../dns"
  count  = var.domain == null ? 0 : 1

  domain              = var.domain
  resource_group_name = azurerm_resource_group.this.name
  tags                = var.tags
}

module "front_door" {
  source = "../front-door"
  count  = var.hostname == null ? 0 : 1

  name                    = var.name
  resource_group_name     = azurerm_resource_group.this.name
  hostname                = var.hostname
  zone_id                 = module.dns[0].zone_id
  zone_name               = var.domain
  private_link_service_id = "${module.cluster.node_resource_group_id}/providers/Microsoft.Network/privateLinkServices/${local.private_link_service}"
  private_link_location   = coalesce(var.private_link_location, var.location)
  region_check            = var.region_check
  tags                    = var.tags

  depends_on = [module.slipway]
}
