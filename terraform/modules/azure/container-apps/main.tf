# One container with the local driver, `slipway dev`: gateway, agents, vectors and sessions in one process. Without a store
# there is one replica, always, since a second one would know nothing of the first one's sessions.

locals {
  keys_file = jsonencode({ keys = var.api_keys })

  # Every file is a secret of the app. Names of secrets have no dots, so a mount gives each file its own name back.
  files = merge(
    { for name, text in var.manifests : "manifest-${replace(name, ".", "-")}" => { path = "/manifests/${name}", text = text } },
    { api-keys = { path = "/keys/keys.json", text = local.keys_file } },
  )

  # Variables of the image's that hold a secret, by the secret's name.
  texts = { store-dsn = var.store_dsn, vector-db-connection = var.vector_db_connection }
  variable_names = merge(
    nonsensitive(var.store_dsn == null) ? {} : { store-dsn = "SLIPWAY_STORE_DSN" },
    nonsensitive(var.vector_db_connection == null) ? {} : { vector-db-connection = "VECTOR_DB_CONNECTION" },
  )
}

resource "azurerm_user_assigned_identity" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_role_assignment" "pull" {
  count = var.registry == null ? 0 : 1

  scope                = var.registry.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.this.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_container_app_environment" "this" {
  name                           = var.name
  location                       = var.location
  resource_group_name            = var.resource_group_name
  infrastructure_subnet_id       = var.subnet_id
  internal_load_balancer_enabled = !var.allow_public
  logs_destination               = var.log_analytics_workspace_id == null ? null : "log-analytics"
  log_analytics_workspace_id     = var.log_analytics_workspace_id
  tags                           = var.tags

  workload_profile {
    name                  = "Consumption"
    workload_profile_type = "Consumption"
  }
}

resource "azurerm_container_app" "this" {
  name                         = var.name
  resource_group_name          = var.resource_group_name
  container_app_environment_id = azurerm_container_app_environment.this.id
  workload_profile_name        = "Consumption"
  revision_mode                = "Single"
  tags                         = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }

  dynamic "registry" {
    for_each = var.registry == null ? [] : [var.registry]

    content {
      server   = registry.value.login_server
      identity = azurerm_user_assigned_identity.this.id
    }
  }

  dynamic "secret" {
    for_each = local.files

    content {
      name  = secret.key
      value = secret.value.text
    }
  }

  dynamic "secret" {
    for_each = local.variable_names

    content {
      name  = secret.key
      value = local.texts[secret.key]
    }
  }

  ingress {
    external_enabled           = true # to whatever reaches the environment, which is the network's own unless allow_public
    allow_insecure_connections = false
    target_port                = 8080
    transport                  = "http"

    traffic_weight {
      latest_revision = true
      percentage      = 100
    }

    dynamic "ip_security_restriction" {
      for_each = toset(var.public_ranges)

      content {
        name             = "range-${replace(replace(ip_security_restriction.value, ".", "-"), "/", "-")}"
        action           = "Allow"
        ip_address_range = ip_security_restriction.value
      }
    }
  }

  template {
    min_replicas                     = 1
    max_replicas                     = var.max_replicas
    termination_grace_period_seconds = 90

    # Changed files make a new revision; a mounted secret alone would reach the process whenever Azure likes.
    revision_suffix = "f${substr(sha256(jsonencode([var.manifests, local.keys_file, var.image])), 0, 12)}"

    container {
      name   = "slipway"
      image  = var.image
      cpu    = var.cpu
      memory = "${var.cpu * 2}Gi"

      dynamic "env" {
        for_each = var.vector_db_type == null ? {} : { VECTOR_DB_TYPE = var.vector_db_type }

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.variable_names

        content {
          name        = env.value
          secret_name = env.key
        }
      }

      # The image's own arguments: --file=/manifests --keys=/keys/keys.json --data=/data, port 8080.
      dynamic "volume_mounts" {
        for_each = local.files

        content {
          name     = "files"
          path     = volume_mounts.value.path
          sub_path = volume_mounts.key
        }
      }

      volume_mounts {
        name = "data"
        path = "/data"
      }

      startup_probe {
        transport               = "HTTP"
        port                    = 8080
        path                    = "/livez"
        interval_seconds        = 5
        failure_count_threshold = 30
      }

      liveness_probe {
        transport        = "HTTP"
        port             = 8080
        path             = "/livez"
        interval_seconds = 10
      }

      readiness_probe {
        transport        = "HTTP"
        port             = 8080
        path             = "/readyz"
        interval_seconds = 5
      }
    }

    volume {
      name         = "files"
      storage_type = "Secret"
    }

    volume {
      name         = "data"
      storage_type = "EmptyDir"
    }
  }

  depends_on = [azurerm_role_assignment.pull]
}
