"""Metrics of the operator itself, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter("slipway_operator_reconciles", "Resources looked at.", ["kind", "result"])
RECONCILE_SECONDS = Histogram(
    "slipway_operator_reconcile_seconds",
    "Time to look at one resource, writes included.",
    ["kind"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
QUEUE_DEPTH = Gauge("slipway_operator_queue_depth", "Resources that wait for their turn.")
QUEUE_AGE = Gauge("slipway_operator_queue_oldest_seconds", "How long the longest-waiting resource has waited.")
API_REQUESTS = Counter("slipway_operator_api_requests", "Requests to the API server but watches.", ["verb", "code"])
DRIFT = Counter("slipway_operator_drift", "Objects put right after somebody else changed them.", ["kind"])
WATCH_AGE = Gauge("slipway_operator_watch_age_seconds", "Time since a watch last delivered anything.", ["kind"])
LOOP_LAG = Gauge("slipway_operator_loop_lag_seconds", "How late the event loop is.")
LEADER = Gauge("slipway_operator_leader", "1 while this replica is the leader.")
CACHED = Gauge("slipway_operator_cached", "Objects in the cache.", ["what"])
INDEX_SYNCED = Gauge(
    "slipway_index_last_synced_timestamp_seconds",
    "When the sources of an index were last ingested; the time since then is how far it may lag behind.",
    ["namespace", "index"],
)
