# One installation of Slipway on Google Cloud, from nothing to a gateway that answers.

locals {
  services = [
    "artifactregistry.googleapis.com",
    "certificatemanager.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "dns.googleapis.com",
    "redis.googleapis.com",
    "secretmanager.googleapis.com",
    "servicenetworking.googleapis.com",
    "sqladmin.googleapis.com",
  ]
}

resource "google_project_service" "needed" {
  for_each           = toset(local.services)
  project            = var.project_id
  service            = each.key
  disable_on_destroy = false # other things in the project may need it
}

module "network" {
  source       = "../network"
  project_id   = var.project_id
  region       = var.region
  region_check = var.region_check
  name         = var.name
  node_cidr    = var.network.node_cidr
  pod_cidr     = var.network.pod_cidr
  service_cidr = var.network.service_cidr

  depends_on = [google_project_service.needed]
}

module "cluster" {
  source                = "../cluster"
  project_id            = var.project_id
  region                = var.region
  region_check          = var.region_check
  name                  = var.name
  network_id            = module.network.network_id
  subnetwork_id         = module.network.subnetwork_id
  pod_range_name        = module.network.pod_range_name
  service_range_name    = module.network.service_range_name
  kubernetes_version    = var.kubernetes_version
  release_channel       = var.release_channel
  dns_endpoint_external = var.dns_endpoint_external
  control_plane_cidrs   = var.control_plane_cidrs
  deletion_protection   = var.deletion_protection
}

module "registry" {
  source       = "../registry"
  project_id   = var.project_id
  region       = var.region
  region_check = var.region_check
  name         = var.name
  readers      = { nodes = module.cluster.node_service_account_member }
  writers      = var.registry_writers

  depends_on = [google_project_service.needed]
}

module "postgres" {
  source              = "../postgres"
  project_id          = var.project_id
  region              = var.region
  region_check        = var.region_check
  name                = var.name
  network_id          = module.network.managed_services_network_id
  tier                = var.postgres.tier
  high_availability   = var.postgres.high_availability
  disk_gb             = var.postgres.disk_gb
  disk_limit_gb       = var.postgres.disk_limit_gb
  max_connections     = var.postgres.max_connections
  retained_backups    = var.postgres.retained_backups
  deletion_protection = var.deletion_protection
}

module "redis" {
  count             = var.redis == null ? 0 : 1
  source            = "../redis"
  project_id        = var.project_id
  region            = var.region
  region_check      = var.region_check
  name              = var.name
  network_id        = module.network.managed_services_network_id
  memory_gb         = var.redis.memory_gb
  high_availability = var.redis.high_availability
}

module "secrets" {
  source              = "../secrets"
  project_id          = var.project_id
  region              = var.region
  region_check        = var.region_check
  name                = var.name
  secrets             = { database = module.postgres.dsn }
  readers             = { for name, member in var.database_secret_readers : name => { secret = "database", member = member } }
  deletion_protection = var.deletion_protection

  depends_on = [google_project_service.needed]
}

module "dns" {
  count                = var.hostname == null ? 0 : 1
  source               = "../dns"
  project_id           = var.project_id
  name                 = var.name
  domain               = coalesce(var.domain, var.hostname)
  hostname             = var.hostname
  additional_hostnames = var.additional_hostnames

  depends_on = [google_project_service.needed]
}

module "slipway" {
  count             = var.install_slipway ? 1 : 0
  source            = "../../slipway"
  image_registry    = module.registry.url
  image_tag         = var.image_tag
  database_dsn      = module.postgres.dsn
  agent_namespaces  = var.agent_namespaces
  api_keys          = var.api_keys
  default_agent     = var.default_agent
  gateway_replicas  = var.gateway_replicas
  operator_replicas = var.operator_replicas
  extra_values      = var.extra_values

  # A node's pull fails before its right to pull is there.
  depends_on = [module.registry]
}

# The load balancer is made by the cluster from a Gateway, so that it follows the gateway's pods without a NodePort. A
# chart of its own, because kubernetes_manifest would need the cluster when the plan is made.
locals {
  edge_values = [for dns in module.dns : yamlencode({
    hostnames      = dns.hostnames
    addressName    = dns.address_name
    certificateMap = dns.certificate_map_name
    sslPolicy      = dns.ssl_policy_name
    timeoutSeconds = var.stream_timeout_seconds
  })]
}

resource "helm_release" "edge" {
  count     = var.install_slipway && var.hostname != null ? 1 : 0
  name      = "slipway-edge"
  namespace = module.slipway[0].namespace
  chart     = "${path.module}/edge"
  timeout   = 900
  values    = local.edge_values
}
