output "zone_id" {
  description = "Id of the zone, for further records."
  value       = local.zone_id
}

output "name_servers" {
  description = "What to enter at the parent's registrar if the zone was made here; empty otherwise."
  value       = var.zone_name == null ? [] : aws_route53_zone.this[0].name_servers
}

output "certificate_arn" {
  description = "ARN of the certificate, known only once ACM has issued it."
  value       = aws_acm_certificate_validation.this.certificate_arn
}
