"""Metrics of workers: runs and steps by workflow."""

from prometheus_client import Counter, Histogram

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)

STARTED = Counter("slipway_workflow_runs_started", "Runs that were started.", ["workflow", "by"])
ENDED = Counter("slipway_workflow_runs_ended", "Runs that ended.", ["workflow", "state"])
RUN_SECONDS = Histogram("slipway_workflow_run_seconds", "How long runs took.", ["workflow"], buckets=SECONDS)
STEPS = Counter("slipway_workflow_steps", "Steps that ended, and tries that failed.", ["workflow", "step", "state"])
RECOVERED = Counter("slipway_workflow_segments_recovered", "Segments of dead workers that others took.")
LOST = Counter("slipway_workflow_segments_lost", "Segments that nobody worked on, which were queued again.")


def ended(workflow: str, state: str, seconds: float) -> None:
    """Count a run that ended."""
    ENDED.labels(workflow, state).inc()
    RUN_SECONDS.labels(workflow).observe(seconds)
