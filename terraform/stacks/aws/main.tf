# One environment of Slipway on AWS.

provider "aws" {
  region = var.region

  # The wrong profile would otherwise build an environment in another one's account.
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      application = "slipway"
      environment = var.environment
      managed-by  = "terraform"
    }
  }
}

locals {
  # A token of a quarter of an hour, asked for at each apply: no kubeconfig, nothing in the state.
  token_command = {
    api_version = "client.authentication.k8s.io/v1beta1"
    command     = "aws"
    args        = ["eks", "get-token", "--region", var.region, "--cluster-name", module.platform.cluster_name]
  }
}

provider "kubernetes" {
  host                   = module.platform.cluster_endpoint
  cluster_ca_certificate = module.platform.cluster_ca_certificate

  exec {
    api_version = local.token_command.api_version
    command     = local.token_command.command
    args        = local.token_command.args
  }
}

provider "helm" {
  kubernetes = {
    host                   = module.platform.cluster_endpoint
    cluster_ca_certificate = module.platform.cluster_ca_certificate
    exec                   = local.token_command
  }
}

module "platform" {
  source = "../../modules/aws/platform"

  name                 = "slipway-${var.environment}"
  account_id           = var.account_id
  region               = var.region
  region_check         = var.region_check
  availability_zones   = var.availability_zones
  cidr                 = var.cidr
  single_nat           = var.single_nat
  log_retention_days   = var.log_retention_days
  kubernetes_version   = var.kubernetes_version
  public_access_cidrs  = var.public_access_cidrs
  admin_principal_arns = var.admin_principal_arns
  push_principal_arns  = var.push_principal_arns
  deletion_protection  = var.deletion_protection
  database             = var.database
  install_slipway      = var.install_slipway
  image_tag            = var.image_tag
  agent_namespaces     = var.agent_namespaces
  api_keys             = var.api_keys
  default_agent        = var.default_agent
  gateway_replicas     = var.gateway_replicas
  ca_bundle            = var.ca_bundle_file == null ? null : file(var.ca_bundle_file)
  hostname             = var.hostname
  zone_id              = var.zone_id
}
