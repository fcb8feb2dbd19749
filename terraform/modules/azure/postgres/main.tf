# Slipway's store: sessions, runs and documents. pgvector is allowed on the server; a database gets it by
# `CREATE EXTENSION vector`.

locals {
  settings = {
    "azure.extensions"       = "VECTOR"
    require_secure_transport = "on"

    # The operator gives roles their passwords in statements, so statements must not be logged, failed ones neither.
    log_statement           = "none"
    log_min_error_statement = "panic"
    log_connections         = "on"
    log_checkpoints         = "on"
  }
}

resource "random_password" "administrator" {
  length  = 40
  special = false # goes into a DSN as it is
}

resource "azurerm_private_dns_zone" "this" {
  count = var.network == null ? 0 : 1

  name                = "${var.name}.private.postgres.database.azure.com"
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  count = var.network == null ? 0 : 1

  name                  = var.name
  resource_group_name   = var.resource_group_name
  private_dns_zone_name = azurerm_private_dns_zone.this[0].name
  virtual_network_id    = var.network.virtual_network_id
  tags                  = var.tags
}

# Connections and checkpoints are logged (settings above), which the scanner looks for in resources of the older single
# server only. Connections are not throttled: operator and agents are the only callers, and all come from one address.
#trivy:ignore:AZU-0019
#trivy:ignore:AZU-0021
#trivy:ignore:AZU-0024
resource "azurerm_postgresql_flexible_server" "this" {
  #checkov:skip=CKV_AZURE_136:It is the default; envs/dev chooses the cheaper backup in one region.
  #checkov:skip=CKV2_AZURE_57:A server in a delegated subnet has a private address and cannot have a private endpoint as well.
  name                          = var.name
  location                      = var.location
  resource_group_name           = var.resource_group_name
  version                       = var.postgres_version
  sku_name                      = var.sku_name
  storage_mb                    = var.storage_mb
  auto_grow_enabled             = true
  administrator_login           = "slipway"
  administrator_password        = random_password.administrator.result
  delegated_subnet_id           = try(var.network.subnet_id, null)
  private_dns_zone_id           = one(azurerm_private_dns_zone.this[*].id)
  public_network_access_enabled = var.allow_public
  backup_retention_days         = var.backup_retention_days
  geo_redundant_backup_enabled  = var.geo_redundant_backup

  dynamic "high_availability" {
    for_each = var.high_availability ? ["ZoneRedundant"] : []

    content {
      mode = high_availability.value
    }
  }

  tags = var.tags

  # Azure picks the zones, and exchanges them at a fail-over.
  lifecycle {
    ignore_changes = [zone, high_availability[0].standby_availability_zone]
  }

  depends_on = [azurerm_private_dns_zone_virtual_network_link.this]
}

resource "azurerm_postgresql_flexible_server_configuration" "this" {
  for_each = local.settings

  name      = each.key
  server_id = azurerm_postgresql_flexible_server.this.id
  value     = each.value
}

resource "azurerm_postgresql_flexible_server_database" "this" {
  name      = var.database
  server_id = azurerm_postgresql_flexible_server.this.id
  charset   = "UTF8"
  collation = "en_US.utf8"
}

resource "azurerm_postgresql_flexible_server_firewall_rule" "this" {
  for_each = var.public_ranges

  name             = each.key
  server_id        = azurerm_postgresql_flexible_server.this.id
  start_ip_address = each.value.start
  end_ip_address   = each.value.end
}

resource "azurerm_management_lock" "this" {
  count = var.deletion_protection ? 1 : 0

  name       = "${var.name}-keep"
  scope      = azurerm_postgresql_flexible_server.this.id
  lock_level = "CanNotDelete"
  notes      = "Holds sessions and documents. Set deletion_protection = false, apply, and only then destroy."
}
