"""What a worker reports to the operator: the last runs of each workflow, how many succeed, and how many wait."""

from typing import Any, cast

from slipway_runtime.workflows.engine import WorkflowEngine

LAST_RUNS = 5
COUNTED_SECONDS = 7 * 24 * 3600.0
"""Of how long the rate of success is."""


async def report(engine: WorkflowEngine) -> dict[str, Any]:
    """By workflow: `lastRuns`, `successRate` of the ended ones in a week, `queued` and `running`."""
    rows = await engine.database.fetch(
        "SELECT workflow, state, count(*) AS many FROM workflow_runs WHERE ended IS NULL "
        "OR ended > now_epoch() - $1 GROUP BY workflow, state",
        COUNTED_SECONDS,
    )
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        counts.setdefault(cast(str, row["workflow"]), {})[cast(str, row["state"])] = cast(int, row["many"])
    workflows = {}
    for name in engine.definitions:
        last = (await engine.store.listed(name))[:LAST_RUNS]
        workflows[name] = {**_summary(counts.get(name, {})), "lastRuns": [_last(run.to_json()) for run in last]}
    return {"executor": engine.queue.executor, "workflows": workflows}


def _summary(states: dict[str, int]) -> dict[str, Any]:
    done, failed = states.get("done", 0), states.get("failed", 0)
    rate = {"successRate": f"{done / (done + failed):.2f}"} if done + failed else {}
    counted = {state: states.get(state, 0) for state in ("queued", "running", "waiting", "needs_attention")}
    return {**counted, **rate}


def _last(run: dict[str, Any]) -> dict[str, Any]:
    return {key: run[key] for key in ("run_id", "state", "created", "ended", "reason", "step") if key in run}
