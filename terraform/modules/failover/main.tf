# One name for two installations. Route 53 asks both gateways, from several continents, whether they can serve, and
# answers with the primary's name while it can, and with the secondary's otherwise.

locals {
  installations = { PRIMARY = var.primary, SECONDARY = var.secondary }
}

resource "aws_route53_health_check" "gateway" {
  for_each = local.installations

  type              = "HTTPS"
  fqdn              = each.value.hostname
  port              = 443
  resource_path     = each.value.health_path
  enable_sni        = true
  request_interval  = var.request_interval_seconds
  failure_threshold = var.failure_threshold

  tags = { Name = "${var.name}-${lower(each.key)}" }
}

resource "aws_route53_record" "gateway" {
  for_each = local.installations

  zone_id         = var.zone_id
  name            = var.hostname
  type            = "CNAME"
  ttl             = var.ttl_seconds
  records         = [each.value.hostname]
  set_identifier  = "${var.name}-${lower(each.key)}"
  health_check_id = aws_route53_health_check.gateway[each.key].id

  failover_routing_policy {
    type = each.key
  }
}

# A fail-over that nobody notices is found out when the second installation fails too.
resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  for_each = length(var.alarm_topic_arns) > 0 ? local.installations : {}

  # Route 53 publishes its metrics in this region only.
  region = "us-east-1"

  alarm_name          = "${var.name}-${lower(each.key)}-unhealthy"
  alarm_description   = "The gateway ${each.value.hostname} does not answer Route 53's health checks."
  namespace           = "AWS/Route53"
  metric_name         = "HealthCheckStatus"
  dimensions          = { HealthCheckId = aws_route53_health_check.gateway[each.key].id }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 2
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}
