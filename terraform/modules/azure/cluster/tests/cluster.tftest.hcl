mock_provider "azurerm" {}

variables {
  name                = "slipway-test"
  location            = "westeurope"
  resource_group_name = "slipway-test"
  subnet_id           = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/endpoints"
  admin_group_ids     = ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]
}

run "private_and_without_passwords" {
  command = plan

  assert {
    condition     = azurerm_kubernetes_cluster.this.private_cluster_enabled && !azurerm_kubernetes_cluster.this.private_cluster_public_fqdn_enabled
    error_message = "Without access ranges the API server must be private."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.local_account_disabled && azurerm_kubernetes_cluster.this.azure_active_directory_role_based_access_control[0].azure_rbac_enabled
    error_message = "People must come in by Entra groups, and by nothing else."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.oidc_issuer_enabled && azurerm_kubernetes_cluster.this.workload_identity_enabled
    error_message = "Pods must be able to use workload identity."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.network_profile[0].network_policy == "cilium"
    error_message = "NetworkPolicies must be enforced: the chart makes them."
  }

  assert {
    condition     = length(azurerm_monitor_diagnostic_setting.audit) == 0
    error_message = "Without a workspace there is no audit log to set up."
  }
}

run "opened_to_one_range" {
  command = plan

  variables {
    api_access_ranges = ["203.0.113.0/28"]
  }

  assert {
    condition     = !azurerm_kubernetes_cluster.this.private_cluster_enabled
    error_message = "With ranges the API server must have a public address."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.api_server_access_profile[0].authorized_ip_ranges == toset(["203.0.113.0/28"])
    error_message = "Nobody but the ranges may reach the API server."
  }
}

run "audit_log" {
  command = plan

  variables {
    logs = { workspace_id = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/logs" }
  }

  assert {
    condition     = contains([for log in azurerm_monitor_diagnostic_setting.audit[0].enabled_log : log.category], "kube-audit-admin")
    error_message = "The API server's audit log must be kept."
  }
}

run "open_to_everybody" {
  command = plan

  variables {
    api_access_ranges = ["0.0.0.0/0"]
  }

  expect_failures = [var.api_access_ranges]
}

run "kubernetes_too_old" {
  command = plan

  variables {
    kubernetes_version = "1.33"
  }

  expect_failures = [var.kubernetes_version]
}

run "missing_network" {
  command = plan

  variables {
    subnet_id = ""
  }

  expect_failures = [var.subnet_id]
}

run "nobody_administers" {
  command = plan

  variables {
    admin_group_ids = []
  }

  expect_failures = [var.admin_group_ids]
}

run "group_by_name" {
  command = plan

  variables {
    admin_group_ids = ["platform-team"]
  }

  expect_failures = [var.admin_group_ids]
}

run "more_nodes_at_least_than_at_most" {
  command = plan

  variables {
    node_count = { min = 5, max = 2 }
  }

  expect_failures = [var.node_count]
}

run "region_without_zones" {
  command = plan

  variables {
    location = "westus"
  }

  expect_failures = [var.location]
}

run "resource_group_with_a_slash" {
  command = plan

  variables {
    resource_group_name = "a/b"
  }

  expect_failures = [var.resource_group_name]
}

run "name_too_long" {
  command = plan

  variables {
    name = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
  }

  expect_failures = [var.name]
}

run "tier_that_is_none" {
  command = plan

  variables {
    sku_tier = "Gold"
  }

  expect_failures = [var.sku_tier]
}

run "region_that_does_not_exist" {
  command = plan

  variables {
    location = "atlantiswest"
  }

  expect_failures = [var.location]
}
