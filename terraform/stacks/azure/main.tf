# One environment of Slipway on Azure.

provider "azurerm" {
  # The wrong login would otherwise build an environment in another one's subscription.
  subscription_id = var.subscription_id

  features {
    key_vault {
      purge_soft_delete_on_destroy = false # purge protection would refuse it anyway
    }

    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}

data "azurerm_client_config" "this" {}

locals {
  # A token of an hour, asked for at each apply with the login of `az` or of the pipeline: no kubeconfig, nothing in the
  # state. The server id is that of every AKS cluster.
  token_command = {
    api_version = "client.authentication.k8s.io/v1beta1"
    command     = "kubelogin"
    args        = ["get-token", "--login", var.kubelogin_mode, "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"]
  }
}

provider "kubernetes" {
  host                   = module.platform.cluster_host
  cluster_ca_certificate = module.platform.cluster_ca_certificate

  exec {
    api_version = local.token_command.api_version
    command     = local.token_command.command
    args        = local.token_command.args
  }
}

provider "helm" {
  kubernetes = {
    host                   = module.platform.cluster_host
    cluster_ca_certificate = module.platform.cluster_ca_certificate
    exec                   = local.token_command
  }
}

module "platform" {
  source = "../../modules/azure/platform"

  name                  = coalesce(var.name, "slipway-${var.environment}")
  location              = var.location
  region_check          = var.region_check
  tenant_id             = data.azurerm_client_config.this.tenant_id
  deployer_principal_id = data.azurerm_client_config.this.object_id
  admin_group_ids       = var.admin_group_ids
  push_principal_ids    = var.push_principal_ids
  cidr                  = var.cidr
  access_ranges         = var.access_ranges
  kubernetes_version    = var.kubernetes_version
  cluster               = var.cluster
  database              = var.database
  redis                 = var.redis
  log_retention_days    = var.log_retention_days
  deletion_protection   = var.deletion_protection
  install_slipway       = var.install_slipway
  image_tag             = var.image_tag
  agent_namespaces      = var.agent_namespaces
  api_keys              = var.api_keys
  default_agent         = var.default_agent
  gateway_replicas      = var.gateway_replicas
  domain                = var.domain
  hostname              = var.hostname
  private_link_location = var.private_link_location

  tags = {
    application = "slipway"
    environment = var.environment
    managed-by  = "terraform"
  }
}
