# A registry without passwords: nodes pull and pipelines push by their identities. Premium is the tier with private
# endpoints and IP rules.

locals {
  public = length(var.push_ranges) > 0

  roles = merge(
    { for key, principal in var.pull_principal_ids : "pull-${key}" => { principal = principal, role = "AcrPull" } },
    { for key, principal in var.push_principal_ids : "push-${key}" => { principal = principal, role = "AcrPush" } },
  )
}

resource "azurerm_container_registry" "this" {
  #checkov:skip=CKV_AZURE_164:Docker Content Trust is deprecated by Microsoft; images are signed with cosign by the delivery pipeline.
  #checkov:skip=CKV_AZURE_165:One installation is in one region; a second region has a registry of its own.
  #checkov:skip=CKV_AZURE_166:Quarantine is a preview that hides an image until a scanner calls back; the pipeline scans before it pushes.
  name                          = replace(var.name, "-", "")
  location                      = var.location
  resource_group_name           = var.resource_group_name
  sku                           = "Premium"
  admin_enabled                 = false
  anonymous_pull_enabled        = false
  data_endpoint_enabled         = true
  zone_redundancy_enabled       = true
  retention_policy_in_days      = var.untagged_retention_days
  public_network_access_enabled = local.public
  network_rule_bypass_option    = "AzureServices"

  network_rule_set = [{
    default_action = "Deny"
    ip_rule        = [for range in var.push_ranges : { action = "Allow", ip_range = range }]
  }]

  tags = var.tags
}

resource "azurerm_private_endpoint" "this" {
  name                = "${var.name}-registry"
  location            = var.location
  resource_group_name = var.resource_group_name
  subnet_id           = var.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "registry"
    private_connection_resource_id = azurerm_container_registry.this.id
    subresource_names              = ["registry"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "registry"
    private_dns_zone_ids = [var.private_dns_zone_id]
  }
}

resource "azurerm_role_assignment" "this" {
  for_each = local.roles

  scope                = azurerm_container_registry.this.id
  role_definition_name = each.value.role
  principal_id         = each.value.principal
  principal_type       = "ServicePrincipal"
}
