# Installs the chart. Everything that the chart only names (the store's Secret, the authorities' ConfigMap, namespaces) is
# made here, so that one apply leads from nothing to a gateway that answers.

locals {
  chart = coalesce(var.chart, "${path.module}/../../../charts/slipway")

  hostnames = var.ingress == null ? [] : concat([var.ingress.hostname], var.ingress.additional_hostnames)

  database_secret = var.database_dsn == null ? var.database_secret : "slipway-database"

  values = {
    operator = { replicas = var.operator_replicas }
    gateway = {
      replicas     = var.gateway_replicas
      defaultAgent = var.default_agent == null ? "" : var.default_agent
      auth = {
        mode           = "apikeys"
        existingSecret = var.api_keys_secret == null ? "" : var.api_keys_secret
        keys           = var.api_keys
      }
      service = { type = var.service_type, annotations = var.service_annotations }
    }
    postgres  = { existingSecret = local.database_secret == null ? "" : local.database_secret }
    caBundle  = { configMap = var.ca_bundle == null ? "" : "slipway-ca" }
    telemetry = { otlpEndpoint = var.otlp_endpoint == null ? "" : var.otlp_endpoint }
  }

  # Apart from the others: a registry that is yet to be made would hide every value from the plan.
  image_values = {
    image = {
      registry    = var.image_registry
      tag         = var.image_tag == null ? "" : var.image_tag
      pullSecrets = var.pull_secrets
    }
  }

  # All pods of the chart and of agents pass the restricted standard, so nothing less is let in.
  namespace_labels = {
    "pod-security.kubernetes.io/enforce" = "restricted"
  }
}

resource "kubernetes_namespace_v1" "release" {
  metadata {
    name   = var.namespace
    labels = local.namespace_labels
  }
}

resource "kubernetes_namespace_v1" "agents" {
  for_each = var.agent_namespaces

  metadata {
    name   = each.value
    labels = local.namespace_labels
  }
}

resource "kubernetes_secret_v1" "database" {
  count = nonsensitive(var.database_dsn != null) ? 1 : 0

  metadata {
    name      = "slipway-database"
    namespace = kubernetes_namespace_v1.release.metadata[0].name
  }

  data = {
    dsn = var.database_dsn
  }
}

resource "kubernetes_config_map_v1" "ca" {
  for_each = var.ca_bundle == null ? toset([]) : setunion(var.agent_namespaces, [var.namespace])

  metadata {
    name      = "slipway-ca"
    namespace = each.value
  }

  data = {
    "ca.crt" = var.ca_bundle
  }

  depends_on = [kubernetes_namespace_v1.release, kubernetes_namespace_v1.agents]
}

resource "helm_release" "slipway" {
  name      = var.name
  chart     = local.chart
  version   = var.chart_version
  namespace = kubernetes_namespace_v1.release.metadata[0].name
  timeout   = var.timeout_seconds

  # A release that does not become ready is taken back, so that a failed apply leaves what served before.
  atomic          = true
  cleanup_on_fail = true
  wait            = true
  max_history     = 10

  values = concat([yamlencode(local.values), yamlencode(local.image_values)], var.extra_values)

  depends_on = [kubernetes_secret_v1.database, kubernetes_config_map_v1.ca]

  lifecycle {
    precondition {
      condition     = nonsensitive(var.database_dsn == null) || var.database_secret == null
      error_message = "Give database_dsn or database_secret, not both."
    }

    precondition {
      condition     = nonsensitive(var.database_dsn != null) || var.database_secret != null || var.trial_database
      error_message = "There is no database: give database_dsn (an output of a postgres module) or database_secret, or say trial_database = true for a single Postgres without backup."
    }
  }
}

resource "kubernetes_ingress_v1" "gateway" {
  count = var.ingress == null ? 0 : 1

  metadata {
    name        = "slipway-gateway"
    namespace   = helm_release.slipway.namespace
    annotations = var.ingress.annotations
  }

  spec {
    ingress_class_name = var.ingress.class_name

    dynamic "rule" {
      for_each = local.hostnames

      content {
        host = rule.value

        http {
          path {
            path      = "/"
            path_type = "Prefix"

            backend {
              service {
                name = "slipway-gateway"

                port {
                  number = 80
                }
              }
            }
          }
        }
      }
    }

    dynamic "tls" {
      for_each = var.ingress.tls_secret == null ? [] : [var.ingress.tls_secret]

      content {
        hosts       = local.hostnames
        secret_name = tls.value
      }
    }
  }

  wait_for_load_balancer = true
}
