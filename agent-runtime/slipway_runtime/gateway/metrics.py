"""What the gateway counts. Names of agents are labels; questions, answers and callers never are."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("slipway_gateway_requests_total", "Requests to agents, by answer.", ["namespace", "agent", "code"])
UNAUTHENTICATED = Counter("slipway_gateway_unauthenticated_total", "Requests refused with 401, by cause.", ["cause"])
SECONDS = Histogram(
    "slipway_gateway_request_seconds",
    "Time from a request's arrival to its last byte.",
    ["namespace", "agent"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
PLUGIN_REQUESTS = Counter(
    "slipway_gateway_plugin_requests_total", "Requests to plugins, by answer.", ["namespace", "plugin", "code"]
)
PLUGIN_SECONDS = Histogram(
    "slipway_gateway_plugin_request_seconds",
    "Time from a request's arrival to its last byte.",
    ["namespace", "plugin"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
WORKFLOW_REQUESTS = Counter(
    "slipway_gateway_workflow_requests_total", "Requests about workflows, by answer.", ["namespace", "workflow", "code"]
)
WORKFLOW_SECONDS = Histogram(
    "slipway_gateway_workflow_request_seconds",
    "Time from a request's arrival to its last byte.",
    ["namespace", "workflow"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
IN_FLIGHT = Gauge("slipway_gateway_in_flight", "Requests being passed on right now.")
HELD = Gauge("slipway_gateway_held", "Requests waiting for a pod to become ready.")
SHED = Counter("slipway_gateway_shed_total", "Requests refused because the gateway's own bound was reached.")
RATE_LIMITED = Counter("slipway_gateway_rate_limited_total", "Requests refused because their caller sent too many.")
EJECTED = Counter("slipway_gateway_ejected_total", "Times that a failing pod was left alone for a while.")
RETRIES = Counter("slipway_gateway_retries_total", "Times that a request went on to the next pod.", ["cause"])
REATTACHED = Counter("slipway_gateway_reattached_total", "Broken streams that were picked up again.")
WATCH_RESTARTS = Counter("slipway_gateway_watch_restarts_total", "Watches begun again.", ["resource", "cause"])
"""Causes: `expired` (listed anew), `ended` (the server's time limit), `silent` (nothing heard), `error`."""
