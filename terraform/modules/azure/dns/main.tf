# The zone, and who may sign certificates for it. The certificate itself belongs to what serves it: Front Door gets and
# renews its own (modules/azure/front-door).

resource "azurerm_dns_zone" "this" {
  name                = var.domain
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_dns_caa_record" "this" {
  name                = "@"
  zone_name           = azurerm_dns_zone.this.name
  resource_group_name = var.resource_group_name
  ttl                 = 3600
  tags                = var.tags

  dynamic "record" {
    for_each = toset(var.certificate_authorities)

    content {
      flags = 0
      tag   = "issue"
      value = record.value
    }
  }

  dynamic "record" {
    for_each = var.security_contact == null ? [] : [var.security_contact]

    content {
      flags = 0
      tag   = "iodef"
      value = "mailto:${record.value}"
    }
  }
}
