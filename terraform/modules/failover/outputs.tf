output "url" {
  description = "Where users reach whichever installation serves."
  value       = "https://${var.hostname}"
}

output "health_check_ids" {
  description = "By PRIMARY and SECONDARY, the id of the health check, for dashboards."
  value       = { for role, check in aws_route53_health_check.gateway : role => check.id }
}

output "records" {
  description = "By PRIMARY and SECONDARY, what Route 53 answers with: the name that is asked for, the installation's name, and the health check that decides."
  value = {
    for role, record in aws_route53_record.gateway : role => {
      name            = record.name
      target          = one(record.records)
      health_check_id = record.health_check_id
    }
  }
}

output "checked" {
  description = "By PRIMARY and SECONDARY, the URL that the health check asks."
  value       = { for role, check in aws_route53_health_check.gateway : role => "https://${check.fqdn}${check.resource_path}" }
}

output "seconds_to_fail_over" {
  description = "Seconds from an outage until resolvers that keep to the TTL have the other answer, at most, by the settings."
  value       = var.request_interval_seconds * var.failure_threshold + var.ttl_seconds
}
