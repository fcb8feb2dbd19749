# Two installations that know nothing of each other, one on AWS and one on Google Cloud, and one name that leads to
# whichever serves.

locals {
  # Not the name of stacks/aws and stacks/gcp, so that both kinds of environment fit into one account.
  name = "slipway-ha-${var.environment}"

  aws_hostname = "aws.${var.hostname}"
  gcp_hostname = "gcp.${var.hostname}"
}

module "aws" {
  source = "../../modules/aws/platform"
  providers = {
    aws        = aws
    random     = random
    kubernetes = kubernetes.aws
    helm       = helm.aws
  }

  name                 = local.name
  account_id           = var.aws.account_id
  region               = var.aws.region
  region_check         = var.region_check
  availability_zones   = var.aws.availability_zones
  cidr                 = var.aws.cidr
  single_nat           = var.aws.single_nat
  public_access_cidrs  = var.aws.public_access_cidrs
  database             = var.aws.database
  deletion_protection  = var.deletion_protection
  install_slipway      = var.install_slipway
  image_tag            = var.image_tag
  agent_namespaces     = var.agent_namespaces
  api_keys             = var.api_keys
  default_agent        = var.default_agent
  gateway_replicas     = var.gateway_replicas
  hostname             = local.aws_hostname
  additional_hostnames = [var.hostname]
  zone_id              = var.zone_id
}

module "gcp" {
  source = "../../modules/gcp/platform"
  providers = {
    google     = google
    random     = random
    kubernetes = kubernetes.gcp
    helm       = helm.gcp
  }

  project_id            = var.gcp.project_id
  region                = var.gcp.region
  region_check          = var.region_check
  name                  = local.name
  dns_endpoint_external = var.gcp.dns_endpoint_external
  postgres              = var.gcp.postgres
  deletion_protection   = var.deletion_protection
  install_slipway       = var.install_slipway
  image_tag             = var.image_tag
  agent_namespaces      = var.agent_namespaces
  api_keys              = var.api_keys
  default_agent         = var.default_agent
  gateway_replicas      = var.gateway_replicas
  hostname              = local.gcp_hostname
  additional_hostnames  = [var.hostname]
}

# Google's own name is in a zone of Cloud DNS, which Route 53 hands it to.
resource "aws_route53_record" "gcp_zone" {
  zone_id = var.zone_id
  name    = local.gcp_hostname
  type    = "NS"
  ttl     = 300
  records = module.gcp.name_servers
}

# The shared name leads to AWS while Google issues its certificate, so Google has it proven by a record of its own.
resource "aws_route53_record" "gcp_proof" {
  zone_id = var.zone_id
  name    = module.gcp.dns_authorization_records[var.hostname].name
  type    = "CNAME"
  ttl     = 300
  records = [module.gcp.dns_authorization_records[var.hostname].value]
}

module "failover" {
  source = "../../modules/failover"

  name             = local.name
  zone_id          = var.zone_id
  hostname         = var.hostname
  primary          = var.primary == "aws" ? local.aws_gateway : local.gcp_gateway
  secondary        = var.primary == "aws" ? local.gcp_gateway : local.aws_gateway
  alarm_topic_arns = var.alarm_topic_arns
}

locals {
  aws_gateway = { hostname = module.aws.gateway_hostname, health_path = module.aws.health_path }
  gcp_gateway = { hostname = module.gcp.gateway_hostname, health_path = module.gcp.health_path }
}
