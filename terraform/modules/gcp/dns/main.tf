# The gateway's public name: a zone, an address that stays, and a certificate for each hostname that renews itself.

locals {
  hostnames = toset(concat([var.hostname], var.additional_hostnames))
  # Names outside the zone are somebody else's to write: their records are an output.
  own_hostnames = toset([for host in local.hostnames : host if host == var.domain || endswith(host, ".${var.domain}")])
  # A hostname may be longer than the name of a resource.
  ids = { for host in local.hostnames : host => "${var.name}-${substr(sha1(host), 0, 8)}" }
}

resource "google_dns_managed_zone" "this" {
  project     = var.project_id
  name        = "${var.name}-zone"
  dns_name    = "${var.domain}."
  description = "Names of ${var.name}"

  dnssec_config {
    state         = "on"
    non_existence = "nsec3"

    # Named, because Google's default for the zone's own key has changed and old zones have RSA/SHA-1.
    default_key_specs {
      algorithm  = "ecdsap256sha256"
      key_type   = "keySigning"
      key_length = 256
    }

    default_key_specs {
      algorithm  = "ecdsap256sha256"
      key_type   = "zoneSigning"
      key_length = 256
    }
  }

  cloud_logging_config {
    enable_logging = true
  }
}

resource "google_compute_global_address" "gateway" {
  project      = var.project_id
  name         = "${var.name}-gateway"
  address_type = "EXTERNAL"
  ip_version   = "IPV4"
}

resource "google_dns_record_set" "gateway" {
  project      = var.project_id
  managed_zone = google_dns_managed_zone.this.name
  name         = "${var.hostname}."
  type         = "A"
  ttl          = var.ttl_seconds
  rrdatas      = [google_compute_global_address.gateway.address]
}

# Proof by DNS rather than by an answer on port 80: a certificate is there before traffic is, also for a name that still
# points at another cloud.
resource "google_certificate_manager_dns_authorization" "this" {
  for_each = local.hostnames
  project  = var.project_id
  name     = local.ids[each.key]
  domain   = each.key
}

resource "google_dns_record_set" "authorization" {
  for_each     = local.own_hostnames
  project      = var.project_id
  managed_zone = google_dns_managed_zone.this.name
  name         = google_certificate_manager_dns_authorization.this[each.key].dns_resource_record[0].name
  type         = "CNAME"
  ttl          = 300
  rrdatas      = [google_certificate_manager_dns_authorization.this[each.key].dns_resource_record[0].data]
}

# One certificate a hostname: a name whose proof is missing must not hold up the others.
resource "google_certificate_manager_certificate" "this" {
  for_each = local.hostnames
  project  = var.project_id
  name     = local.ids[each.key]

  managed {
    domains            = [each.key]
    dns_authorizations = [google_certificate_manager_dns_authorization.this[each.key].id]
  }
}

resource "google_certificate_manager_certificate_map" "this" {
  project = var.project_id
  name    = "${var.name}-certificates"
}

resource "google_certificate_manager_certificate_map_entry" "this" {
  for_each     = local.hostnames
  project      = var.project_id
  name         = local.ids[each.key]
  map          = google_certificate_manager_certificate_map.this.name
  hostname     = each.key
  certificates = [google_certificate_manager_certificate.this[each.key].id]
}

resource "google_compute_ssl_policy" "this" {
  project         = var.project_id
  name            = "${var.name}-tls"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}
