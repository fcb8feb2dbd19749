# What Slipway's back end for Vertex AI Vector Search 2.0 needs: the interface switched on, and roles for who uses it.
# Slipway makes the collections. An index of the older Vector Search 1.0 on a private endpoint is an option.

resource "google_project_service" "needed" {
  for_each           = toset(["aiplatform.googleapis.com", "vectorsearch.googleapis.com"])
  project            = var.project_id
  service            = each.key
  disable_on_destroy = false # other things in the project may need it
}

resource "google_vertex_ai_index" "this" {
  count               = var.legacy_index ? 1 : 0
  project             = var.project_id
  region              = var.region
  display_name        = var.name
  description         = "Embeddings of all-MiniLM-L6-v2"
  index_update_method = "STREAM_UPDATE"

  metadata {
    contents_delta_uri = var.contents_delta_uri

    config {
      dimensions                  = var.dimensions
      distance_measure_type       = "COSINE_DISTANCE"
      approximate_neighbors_count = var.approximate_neighbors
      shard_size                  = "SHARD_SIZE_SMALL"

      algorithm_config {
        tree_ah_config {
          leaf_node_embedding_count    = 1000
          leaf_nodes_to_search_percent = 10
        }
      }
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_vertex_ai_index_endpoint" "this" {
  count                   = var.legacy_index ? 1 : 0
  project                 = var.project_id
  region                  = var.region
  display_name            = var.name
  public_endpoint_enabled = var.allow_public

  dynamic "private_service_connect_config" {
    for_each = var.allow_public ? [] : [true]
    content {
      enable_private_service_connect = true
      project_allowlist              = [var.project_id]
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_vertex_ai_index_endpoint_deployed_index" "this" {
  count                 = var.legacy_index ? 1 : 0
  region                = var.region
  index_endpoint        = google_vertex_ai_index_endpoint.this[0].id
  index                 = google_vertex_ai_index.this[0].id
  deployed_index_id     = local.deployed_index_id
  display_name          = var.name
  enable_access_logging = false # queries are what people asked

  dedicated_resources {
    min_replica_count = var.min_replicas
    max_replica_count = var.max_replicas

    machine_spec {
      machine_type = var.machine_type
    }
  }
}

locals {
  # Vertex AI takes letters, digits and underscores only.
  deployed_index_id = replace(var.name, "-", "_")
  private_endpoint  = var.legacy_index && !var.allow_public
  # 1.0 has one role for all; 2.0 has those of collections, of which Slipway makes one for each build of an index.
  role = var.legacy_index ? "roles/aiplatform.user" : "roles/vectorsearch.admin"
}

# The endpoint's address in the VPC.
resource "google_compute_address" "this" {
  count        = local.private_endpoint ? 1 : 0
  project      = var.project_id
  region       = var.region
  name         = "${var.name}-vectors"
  address_type = "INTERNAL"
  purpose      = "GCE_ENDPOINT"
  subnetwork   = var.subnetwork_id
}

resource "google_compute_forwarding_rule" "this" {
  count                 = local.private_endpoint ? 1 : 0
  project               = var.project_id
  region                = var.region
  name                  = "${var.name}-vectors"
  network               = var.network_id
  ip_address            = google_compute_address.this[0].id
  target                = google_vertex_ai_index_endpoint_deployed_index.this[0].private_endpoints[0].service_attachment
  load_balancing_scheme = "" # what Private Service Connect wants
}

resource "google_project_iam_member" "users" {
  for_each = var.users
  project  = var.project_id
  role     = local.role
  member   = each.value
}
