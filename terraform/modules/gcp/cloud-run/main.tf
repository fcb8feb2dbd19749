# Slipway without a cluster: `slipway dev` serves a folder of manifests in one Cloud Run instance.

resource "google_service_account" "this" {
  project      = var.project_id
  account_id   = "${var.name}-run"
  display_name = "Slipway on Cloud Run: ${var.name}"
}

resource "google_storage_bucket" "manifests" {
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

# `slipway dev` listens on the loopback interface and refuses requests by another name than its own, because it asks for
# no API key. IAM asks instead, in front of the instance, and this proxy hands over what IAM let in.
resource "google_storage_bucket_object" "proxy" {
  bucket  = google_storage_bucket.manifests.name
  name    = "nginx.conf"
  content = local.proxy_config
}

resource "google_storage_bucket_iam_member" "manifests" {
  bucket = google_storage_bucket.manifests.name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${google_service_account.this.email}"
}

locals {
  runtime_port = 8081
  proxy_port   = 8080
  folder       = "/srv/slipway"
  proxy_config = templatefile("${path.module}/nginx.conf.tftpl", {
    listen  = local.proxy_port
    runtime = local.runtime_port
    timeout = var.request_timeout_seconds
  })
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
      "slipway.dev/manifests" = sha256(jsonencode([var.manifests, local.proxy_config]))
    }

    # One process holds sessions and vectors, so there is one instance, always.
    scaling {
      min_instance_count = 1
      max_instance_count = 1
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

    containers {
      name    = "proxy"
      image   = var.proxy_image
      command = ["nginx"]
      args    = ["-c", "${local.folder}/nginx.conf", "-g", "daemon off;"]

      ports {
        container_port = local.proxy_port
      }

      resources {
        limits   = { cpu = "1", memory = "256Mi" }
        cpu_idle = false
      }

      # Through to the runtime: the instance is ready when its indexes are built.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 4
        failure_threshold = 60

        http_get {
          path = "/readyz"
          port = local.proxy_port
        }
      }

      liveness_probe {
        period_seconds    = 10
        timeout_seconds   = 5
        failure_threshold = 3

        http_get {
          path = "/livez"
          port = local.proxy_port
        }
      }

      volume_mounts {
        name       = "manifests"
        mount_path = local.folder
      }
    }

    containers {
      name  = "slipway"
      image = var.image
      args  = ["dev", "--file", local.folder, "--port", tostring(local.runtime_port), "--data", "/tmp/slipway"]

      resources {
        limits   = { cpu = tostring(var.cpu), memory = "${var.memory_gb}Gi" }
        cpu_idle = false # documents are read between requests, too
      }

      volume_mounts {
        name       = "manifests"
        mount_path = local.folder
      }
    }
  }

  depends_on = [
    google_storage_bucket_iam_member.manifests,
    google_storage_bucket_object.manifests,
    google_storage_bucket_object.proxy,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "invokers" {
  for_each = var.invokers
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.this.name
  role     = "roles/run.invoker"
  member   = each.value
}
