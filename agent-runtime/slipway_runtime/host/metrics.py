"""What a host counts."""

from prometheus_client import Counter, Gauge, Histogram

from slipway_runtime.telemetry.metrics import SECONDS

RUNS = Counter("slipway_runs", "Attempts at answering that ended here, by outcome.", ["agent", "outcome"])
RUN_SECONDS = Histogram("slipway_run_seconds", "How long attempts took.", ["agent"], buckets=SECONDS)
IN_FLIGHT = Gauge("slipway_runs_in_flight", "Questions being answered now.", ["agent"])
UNAUTHENTICATED = Counter("slipway_host_unauthenticated", "Requests refused with 401, by cause.", ["cause"])
SHED = Counter("slipway_questions_shed", "Questions refused with 429 because the host was at its bound.", ["agent"])
TAKEOVERS = Counter("slipway_runs_taken_over", "Runs taken over from a host that died or left.", ["agent"])
COMMIT_SECONDS = Histogram("slipway_commit_seconds", "How long it took to store a batch of events.", buckets=SECONDS)
STORE_FAILURES = Counter("slipway_store_failures", "Statements that failed because the store was unavailable.")
SESSIONS_EXPIRED = Counter("slipway_sessions_expired", "Sessions deleted because nobody had used them.")
