"""What is counted about models. Labels are names, never texts."""

from prometheus_client import Counter, Histogram

from slipway_runtime.telemetry.metrics import SECONDS

REQUESTS = Counter(
    "slipway_model_requests", "Requests to models, by how they ended.", ["agent", "model", "role", "outcome"]
)
REQUEST_SECONDS = Histogram(
    "slipway_model_seconds", "How long requests to models took.", ["agent", "model"], buckets=SECONDS
)
TOKENS = Counter(
    "slipway_model_tokens", "Tokens: input (cached ones included), cached, output.", ["agent", "model", "kind"]
)
COST = Counter("slipway_model_cost_usd", "What models cost, in US dollars, where a price is known.", ["agent", "model"])
UNPRICED = Counter("slipway_model_requests_unpriced", "Answers whose price is not known.", ["agent", "model"])
FAILOVERS = Counter(
    "slipway_model_failovers", "How often another model took over, by why.", ["agent", "model", "outcome"]
)
