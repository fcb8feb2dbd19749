"""What is counted about the steps of agents. Labels are names, never texts."""

from prometheus_client import Counter

REPEATED = Counter(
    "slipway_model_calls_repeated",
    "Model calls that were made again, because the host died before their answer was stored.",
    ["agent"],
)
