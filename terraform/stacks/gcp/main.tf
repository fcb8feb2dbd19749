# One installation on Google Cloud. Everything is in modules/gcp/platform; here are its back end and its providers.

module "platform" {
  source = "../../modules/gcp/platform"

  project_id              = var.project_id
  region                  = var.region
  region_check            = var.region_check
  name                    = var.name
  network                 = var.network
  release_channel         = var.release_channel
  dns_endpoint_external   = var.dns_endpoint_external
  control_plane_cidrs     = var.control_plane_cidrs
  postgres                = var.postgres
  redis                   = var.redis
  registry_writers        = var.registry_writers
  database_secret_readers = var.database_secret_readers
  hostname                = var.hostname
  domain                  = var.domain
  additional_hostnames    = var.additional_hostnames
  install_slipway         = var.install_slipway
  image_tag               = var.image_tag
  agent_namespaces        = var.agent_namespaces
  api_keys                = var.api_keys
  default_agent           = var.default_agent
  gateway_replicas        = var.gateway_replicas
  operator_replicas       = var.operator_replicas
  extra_values            = var.extra_values
  deletion_protection     = var.deletion_protection
}
