# A zone, made here or there already, and one certificate for the hostnames of a gateway. ACM renews the certificate as
# long as the records that prove ownership stay in the zone.

locals {
  zone_id = var.zone_id == null ? aws_route53_zone.this[0].zone_id : var.zone_id
}

resource "aws_route53_zone" "this" {
  #checkov:skip=CKV2_AWS_39: Query logs tell who asks for whose agents; who needs them can add aws_route53_query_log to zone_id.
  #checkov:skip=CKV2_AWS_38: DNSSEC needs a record at the parent's registrar, which Terraform cannot make; it is switched on by hand.
  count = var.zone_name == null ? 0 : 1

  name    = var.zone_name
  comment = "Slipway"
}

resource "aws_acm_certificate" "this" {
  domain_name               = var.hostnames[0]
  subject_alternative_names = slice(var.hostnames, 1, length(var.hostnames))
  validation_method         = "DNS"

  # A load balancer uses the old one until the new one is there.
  lifecycle {
    create_before_destroy = true
  }
}

# Keyed by hostname, which is known at plan, and not by what ACM answers.
resource "aws_route53_record" "proof" {
  for_each = toset(var.hostnames)

  zone_id = local.zone_id
  name    = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_name if option.domain_name == each.value])
  type    = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_type if option.domain_name == each.value])
  records = [for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_value if option.domain_name == each.value]
  ttl     = 300

  # Two installations that share a hostname in one account prove it with the same record.
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.proof : record.fqdn]
}
