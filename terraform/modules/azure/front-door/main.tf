# TLS, a firewall and health checks in front of the gateway. Front Door reaches the gateway's internal load balancer by
# Private Link, so that nothing of the cluster has an address in the internet, and renews the certificate by itself.

locals {
  label                    = trimsuffix(var.hostname, ".${var.zone_name}")
  zone_resource_group_name = coalesce(var.zone_resource_group_name, var.resource_group_name)
}

resource "azurerm_cdn_frontdoor_profile" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  sku_name            = "Premium_AzureFrontDoor" # the tier with Private Link and managed rules
  tags                = var.tags

  # The most that Front Door allows between two pieces of an answer.
  response_timeout_seconds = 240
}

resource "azurerm_cdn_frontdoor_endpoint" "this" {
  name                     = var.name
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  tags                     = var.tags
}

resource "azurerm_cdn_frontdoor_origin_group" "gateway" {
  name                     = "gateway"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id

  health_probe {
    interval_in_seconds = 30
    path                = "/readyz"
    protocol            = "Http"
    request_type        = "GET"
  }

  load_balancing {
    sample_size                 = 4
    successful_samples_required = 3
  }
}

resource "azurerm_cdn_frontdoor_origin" "gateway" {
  name                           = "gateway"
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.gateway.id
  host_name                      = var.hostname
  origin_host_header             = var.hostname
  http_port                      = 80
  certificate_name_check_enabled = true # Azure asks for it with Private Link, over HTTP too

  private_link {
    location               = var.private_link_location
    private_link_target_id = var.private_link_service_id
    request_message        = "Front Door of ${var.name}"
  }
}

resource "azurerm_cdn_frontdoor_custom_domain" "this" {
  name                     = replace(var.hostname, ".", "-")
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  dns_zone_id              = var.zone_id
  host_name                = var.hostname

  tls {
    certificate_type    = "ManagedCertificate"
    minimum_tls_version = "TLS12"
  }
}

resource "azurerm_dns_txt_record" "validation" {
  name                = "_dnsauth.${local.label}"
  zone_name           = var.zone_name
  resource_group_name = local.zone_resource_group_name
  ttl                 = 3600
  tags                = var.tags

  record {
    value = azurerm_cdn_frontdoor_custom_domain.this.validation_token
  }
}

resource "azurerm_dns_cname_record" "this" {
  name                = local.label
  zone_name           = var.zone_name
  resource_group_name = local.zone_resource_group_name
  ttl                 = 300
  record              = azurerm_cdn_frontdoor_endpoint.this.host_name
  tags                = var.tags

  depends_on = [azurerm_cdn_frontdoor_route.this]
}

resource "azurerm_cdn_frontdoor_route" "this" {
  name                            = "gateway"
  cdn_frontdoor_endpoint_id       = azurerm_cdn_frontdoor_endpoint.this.id
  cdn_frontdoor_origin_group_id   = azurerm_cdn_frontdoor_origin_group.gateway.id
  cdn_frontdoor_origin_ids        = [azurerm_cdn_frontdoor_origin.gateway.id]
  cdn_frontdoor_custom_domain_ids = [azurerm_cdn_frontdoor_custom_domain.this.id]
  patterns_to_match               = ["/*"]
  supported_protocols             = ["Http", "Https"]
  https_redirect_enabled          = true
  forwarding_protocol             = "HttpOnly" # through Private Link: the gateway serves plain HTTP
  link_to_default_domain          = false      # without a cache block nothing is kept, and streams pass as they come
}

resource "azurerm_cdn_frontdoor_custom_domain_association" "this" {
  cdn_frontdoor_custom_domain_id = azurerm_cdn_frontdoor_custom_domain.this.id
  cdn_frontdoor_route_ids        = [azurerm_cdn_frontdoor_route.this.id]
}

resource "azurerm_cdn_frontdoor_firewall_policy" "this" {
  name                = replace(var.name, "-", "") # letters and digits only
  resource_group_name = var.resource_group_name
  sku_name            = azurerm_cdn_frontdoor_profile.this.sku_name
  mode                = var.firewall_mode
  tags                = var.tags

  managed_rule {
    type    = "Microsoft_DefaultRuleSet"
    version = "2.1"
    action  = "Block"
  }

  managed_rule {
    type    = "Microsoft_BotManagerRuleSet"
    version = "1.1"
    action  = "Block"
  }

  custom_rule {
    name                           = "PerClient"
    type                           = "RateLimitRule"
    action                         = "Block"
    priority                       = 100
    rate_limit_duration_in_minutes = 1
    rate_limit_threshold           = var.requests_per_minute

    match_condition {
      match_variable = "RequestUri"
      operator       = "Any"
      match_values   = []
    }
  }
}

resource "azurerm_cdn_frontdoor_security_policy" "this" {
  name                     = "firewall"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id

  security_policies {
    firewall {
      cdn_frontdoor_firewall_policy_id = azurerm_cdn_frontdoor_firewall_policy.this.id

      association {
        patterns_to_match = ["/*"]

        domain {
          cdn_frontdoor_domain_id = azurerm_cdn_frontdoor_custom_domain.this.id
        }
      }
    }
  }
}
