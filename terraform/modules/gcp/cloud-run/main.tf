# Slipway without a cluster: `slipway dev` serves a folder of manifests on Cloud Run.

resource "google_service_account" "this" {
  project      = var.project_id
  account_id   = "${var.name}-run"
  display_name = "Slipway on Cloud Run: ${var.name}"
}

# Who read it is in Cloud Audit Logs, and it holds nothing secret, so it needs neither logs nor a key of its own.
# trivy:ignore:GCP-0066
# trivy:ignore:GCP-0077
resource "google_storage_bucket" "manifests" {
  # checkov:skip=CKV_GCP_62: Cloud Audit Logs say who read it; access logs would want a second bucket
  project                     = var.project_id
  name                        = "${var.project_id}-${var.name}-manifests"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 10
    }
  }
}

resource "google_storage_bucket_object" "manifests" {
  for_each = var.manifests
  bucket   = google_storage_bucket.manifests.name
  name     = each.key
  content  = each.value
}

# Callers' keys, as hashes. The file is the gateway's own keys.json.
module "keys" {
  source              = "../secrets"
  project_id          = var.project_id
  region              = var.region
  name                = var.name
  secrets             = { api-keys = jsonencode({ keys = var.api_keys }) }
  readers             = { service = { secret = "api-keys", member = local.member } }
  deletion_protection = var.deletion_protection
}

resource "google_storage_bucket_iam_member" "manifests" {
  bucket = google_storage_bucket.manifests.name
  role   = "roles/storage.objectViewer"
  member = local.member
}

locals {
  member = "serviceAccount:${google_service_account.this.email}"

  # Variables of the image's that hold a secret.
  secret_variables = merge(
    var.store == null ? {} : { SLIPWAY_STORE_DSN = var.store },
    var.vector_db_connection == null ? {} : { VECTOR_DB_CONNECTION = var.vector_db_connection },
  )
}

resource "google_secret_manager_secret_iam_member" "places" {
  for_each  = local.secret_variables
  project   = var.project_id
  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member
}

resource "google_cloud_run_v2_service" "this" {
  project              = var.project_id
  location             = var.region
  name                 = var.name
  ingress              = var.ingress
  deletion_protection  = var.deletion_protection
  invoker_iam_disabled = false

  template {
    service_account                  = google_service_account.this.email
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2" # volumes of buckets need it
    timeout                          = "${var.request_timeout_seconds}s"
    max_instance_request_concurrency = var.concurrency

    # A mounted bucket tells nobody that a file changed: new manifests are a new revision.
    annotations = {
      "slipway.dev/manifests" = sha256(jsonencode(var.manifests))
    }

    # Without a store one process holds sessions and vectors, so there is one instance, always.
    scaling {
      min_instance_count = 1
      max_instance_count = var.max_instances
    }

    vpc_access {
      egress = "ALL_TRAFFIC"

      network_interfaces {
        network    = var.network_id
        subnetwork = var.subnetwork_id
      }
    }

    volumes {
      name = "manifests"

      gcs {
        bucket    = google_storage_bucket.manifests.name
        read_only = true
      }
    }

    volumes {
      name = "keys"

      secret {
        secret = module.keys.secret_ids["api-keys"]

        items {
          path    = "keys.json"
          version = module.keys.versions["api-keys"]
        }
      }
    }

    # The image's own arguments: --file=/manifests --keys=/keys/keys.json --data=/data, port 8080.
    containers {
      name  = "slipway"
      image = var.image

      ports {
        container_port = 8080
      }

      dynamic "env" {
        for_each = var.vector_db_type == null ? {} : { VECTOR_DB_TYPE = var.vector_db_type }

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secret_variables

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = env.value.secret
              version = env.value.version
            }
          }
        }
      }

      resources {
        limits   = { cpu = tostring(var.cpu), memory = "${var.memory_gb}Gi" }
        cpu_idle = false # documents are read between requests, too
      }

      # Ready when its indexes are built, within the four minutes that Cloud Run allows.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 4
        failure_threshold = 48

        http_get {
          path = "/readyz"
          port = 8080
        }
      }

      liveness_probe {
        period_seconds    = 10
        timeout_seconds   = 5
        failure_threshold = 3

        http_get {
          path = "/livez"
          port = 8080
        }
      }

      volume_mounts {
        name       = "manifests"
        mount_path = "/manifests"
      }

      volume_mounts {
        name       = "keys"
        mount_path = "/keys"
      }
    }
  }

  depends_on = [
    google_storage_bucket_iam_member.manifests,
    google_storage_bucket_object.manifests,
    google_secret_manager_secret_iam_member.places,
    module.keys,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "invokers" {
  for_each = var.allow_public ? merge(var.invokers, { public = "allUsers" }) : var.invokers
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.this.name
  role     = "roles/run.invoker"
  member   = each.value
}
