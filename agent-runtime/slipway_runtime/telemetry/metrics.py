"""Prometheus metrics of a process under `/metrics`. Labels are names of agents and reasons, never texts or callers."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Buckets, in seconds, for how long requests and runs take."""


async def metrics_endpoint(_: Request) -> Response:
    """All metrics of the process in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
