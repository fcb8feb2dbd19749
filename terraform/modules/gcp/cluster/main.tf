# GKE Autopilot: Google runs the nodes, workload identity is always on, and every pod is held to a hardened baseline.
# What Autopilot sets by itself (shielded nodes, workload identity, Dataplane V2, which enforces NetworkPolicies) is not
# repeated here, because the provider refuses most of it together with enable_autopilot.

resource "google_service_account" "nodes" {
  project      = var.project_id
  account_id   = "${var.name}-nodes"
  display_name = "Nodes of the cluster ${var.name}"
}

# Logs, metrics and nothing else. The default account of Compute Engine may edit the whole project.
resource "google_project_iam_member" "nodes" {
  project = var.project_id
  role    = "roles/container.defaultNodeServiceAccount"
  member  = "serviceAccount:${google_service_account.nodes.email}"
}

# Labels are the root module's: default_labels of its provider.
# trivy:ignore:GCP-0051
resource "google_container_cluster" "this" {
  # checkov:skip=CKV_GCP_12: Autopilot has Dataplane V2, which enforces NetworkPolicies without this switch
  # checkov:skip=CKV_GCP_13: client certificates are off in every cluster since 1.12
  # checkov:skip=CKV_GCP_21: labels are the root module's: default_labels of its provider
  # checkov:skip=CKV_GCP_61: the subnetwork has flow logs, and Autopilot decides on visibility within a node itself
  # checkov:skip=CKV_GCP_65: Google Groups in RBAC need a Workspace domain of the organisation
  # checkov:skip=CKV_GCP_69: Autopilot always has the GKE metadata server
  project             = var.project_id
  location            = var.region
  name                = var.name
  enable_autopilot    = true
  min_master_version  = var.kubernetes_version
  deletion_protection = var.deletion_protection
  network             = var.network_id
  subnetwork          = var.subnetwork_id

  release_channel {
    channel = var.release_channel
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = var.pod_range_name
    services_secondary_range_name = var.service_range_name
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = true
  }

  # The address of the control plane is private. Whoever is outside the VPC uses its DNS name, where IAM decides.
  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = var.dns_endpoint_external
    }
  }

  master_authorized_networks_config {
    gcp_public_cidrs_access_enabled = false

    dynamic "cidr_blocks" {
      for_each = var.control_plane_cidrs
      content {
        display_name = cidr_blocks.key
        cidr_block   = cidr_blocks.value
      }
    }
  }

  cluster_autoscaling {
    auto_provisioning_defaults {
      service_account = google_service_account.nodes.email
      oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    }
  }

  dynamic "database_encryption" {
    for_each = var.secrets_kms_key == null ? [] : [var.secrets_kms_key]
    content {
      state    = "ENCRYPTED"
      key_name = database_encryption.value
    }
  }

  # The project's own policy decides which images run; Google's default policy lets all of them run.
  binary_authorization {
    evaluation_mode = "PROJECT_SINGLETON_POLICY_ENFORCE"
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  secret_manager_config {
    enabled = true
  }

  cost_management_config {
    enabled = true
  }

  security_posture_config {
    mode = "BASIC"
  }

  maintenance_policy {
    daily_maintenance_window {
      start_time = var.maintenance_start_time
    }
  }

  # Nodes that come before their account's rights cannot register.
  depends_on = [google_project_iam_member.nodes]
}
