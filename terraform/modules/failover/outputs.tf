output "url" {
  description = "Where users reach whichever installation serves."
  value       = "https://${var.hostname}"
}

output "health_check_ids" {
  description = "By PRIMARY and SECONDARY, the id of the health check, for dashboards."
  value       = { for role, check in aws_route53_health_check.gateway : role => check.id }
}

output "seconds_to_fail_over" {
  description = "Seconds from an outage until resolvers that keep to the TTL have the other answer, at most, by the settings."
  value       = var.request_interval_seconds * var.failure_threshold + var.ttl_seconds
}
