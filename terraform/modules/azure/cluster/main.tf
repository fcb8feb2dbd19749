# AKS without local accounts: people come in by Entra groups, pods by workload identity, and nodes leave through the
# subnet's NAT gateway. Cilium enforces the NetworkPolicies that the chart and the operator make.

locals {
  private = length(var.api_access_ranges) == 0
}

resource "azurerm_user_assigned_identity" "cluster" {
  name                = "${var.name}-cluster"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

# The control plane puts nodes and internal load balancers into this subnet, and has no right to any other.
resource "azurerm_role_assignment" "subnet" {
  scope                = var.subnet_id
  role_definition_name = "Network Contributor"
  principal_id         = azurerm_user_assigned_identity.cluster.principal_id
  principal_type       = "ServicePrincipal"
}

# What nodes act as: it pulls images and does nothing else.
resource "azurerm_user_assigned_identity" "kubelet" {
  name                = "${var.name}-kubelet"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_role_assignment" "kubelet" {
  scope                = azurerm_user_assigned_identity.kubelet.id
  role_definition_name = "Managed Identity Operator"
  principal_id         = azurerm_user_assigned_identity.cluster.principal_id
  principal_type       = "ServicePrincipal"
}

# Logs are kept where a workspace is given.
#trivy:ignore:AZU-0040
resource "azurerm_kubernetes_cluster" "this" {
  #checkov:skip=CKV_AZURE_117:Disks are ephemeral and encrypted at the host, with Azure's own key; a key of one's own needs a vault before the cluster.
  #checkov:skip=CKV_AZURE_170:Standard is the default; envs/dev chooses Free, which costs nothing and promises nothing.
  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  dns_prefix          = var.name
  kubernetes_version  = var.kubernetes_version
  sku_tier            = var.sku_tier
  node_resource_group = "${var.name}-nodes"

  automatic_upgrade_channel = "patch"
  node_os_upgrade_channel   = "NodeImage"

  local_account_disabled            = true
  role_based_access_control_enabled = true
  oidc_issuer_enabled               = true
  workload_identity_enabled         = true
  azure_policy_enabled              = true
  image_cleaner_enabled             = true
  image_cleaner_interval_hours      = 168
  run_command_enabled               = false

  private_cluster_enabled             = local.private
  private_cluster_public_fqdn_enabled = false
  private_dns_zone_id                 = local.private ? "System" : null

  dynamic "api_server_access_profile" {
    for_each = local.private ? [] : [var.api_access_ranges]

    content {
      authorized_ip_ranges = api_server_access_profile.value
    }
  }

  azure_active_directory_role_based_access_control {
    azure_rbac_enabled     = true
    admin_group_object_ids = var.admin_group_ids
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.cluster.id]
  }

  kubelet_identity {
    client_id                 = azurerm_user_assigned_identity.kubelet.client_id
    object_id                 = azurerm_user_assigned_identity.kubelet.principal_id
    user_assigned_identity_id = azurerm_user_assigned_identity.kubelet.id
  }

  default_node_pool {
    name                         = "system"
    vm_size                      = var.system_vm_size
    vnet_subnet_id               = var.subnet_id
    zones                        = ["1", "2", "3"]
    auto_scaling_enabled         = true
    min_count                    = 2
    max_count                    = 4
    max_pods                     = 110
    os_disk_type                 = "Ephemeral"
    os_disk_size_gb              = 64
    os_sku                       = "AzureLinux"
    only_critical_addons_enabled = true
    host_encryption_enabled      = true
    temporary_name_for_rotation  = "systemtmp"
    tags                         = var.tags

    upgrade_settings {
      max_surge = "33%"
    }
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
    outbound_type       = "userAssignedNATGateway"
    load_balancer_sku   = "standard"
    pod_cidr            = "192.168.0.0/16"
    service_cidr        = "172.31.0.0/16"
    dns_service_ip      = "172.31.0.10"
  }

  key_vault_secrets_provider {
    secret_rotation_enabled = true
  }

  dynamic "oms_agent" {
    for_each = var.logs == null ? [] : [var.logs]

    content {
      log_analytics_workspace_id      = oms_agent.value.workspace_id
      msi_auth_for_monitoring_enabled = true
    }
  }

  tags = var.tags

  # The autoscaler and the patch channel move these.
  lifecycle {
    ignore_changes = [default_node_pool[0].node_count]
  }

  depends_on = [azurerm_role_assignment.subnet, azurerm_role_assignment.kubelet]
}

resource "azurerm_kubernetes_cluster_node_pool" "agents" {
  name                        = "agents"
  kubernetes_cluster_id       = azurerm_kubernetes_cluster.this.id
  vm_size                     = var.vm_size
  vnet_subnet_id              = var.subnet_id
  zones                       = ["1", "2", "3"]
  auto_scaling_enabled        = true
  min_count                   = var.node_count.min
  max_count                   = var.node_count.max
  max_pods                    = 110
  os_disk_type                = "Ephemeral"
  os_disk_size_gb             = 128
  os_sku                      = "AzureLinux"
  host_encryption_enabled     = true
  temporary_name_for_rotation = "agentstmp"
  tags                        = var.tags

  upgrade_settings {
    max_surge = "33%"
  }

  lifecycle {
    ignore_changes = [node_count]
  }
}

resource "azurerm_monitor_diagnostic_setting" "audit" {
  count = var.logs == null ? 0 : 1

  name                       = "${var.name}-audit"
  target_resource_id         = azurerm_kubernetes_cluster.this.id
  log_analytics_workspace_id = var.logs.workspace_id

  enabled_log {
    category = "kube-audit-admin"
  }

  enabled_log {
    category = "guard"
  }
}
