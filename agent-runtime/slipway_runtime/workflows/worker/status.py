"""What a worker reports to the operator of a workflow: its last runs, how many succeed, and how much there is to do."""

from datetime import UTC, datetime
from typing import cast

from slipway_crds.contract import INTERPRETER
from slipway_crds.workflows.model import LAST_RUNS, LastRun
from slipway_crds.workflows.report import WorkerReport, definition_digest
from slipway_runtime.workflows.engine import WorkflowEngine
from slipway_runtime.workflows.records import WorkflowRun
from slipway_runtime.workflows.triggers.running import Triggers
from slipway_runtime.workflows.triggers.schedules import following

COUNTED_SECONDS = 24 * 3600.0
"""Of how long the rate of success is."""


async def report(engine: WorkflowEngine, workflow: str, triggers: Triggers) -> WorkerReport:
    """How the runs of a workflow do. Raises StoreUnavailable."""
    counts = await _counts(engine)
    own = {state: many for (name, state), many in counts.items() if name == workflow}
    done, failed = own.get("done", 0), own.get("failed", 0)
    unfinished = ("queued", "running", "waiting", "needs_attention")
    definition = engine.definitions.get(workflow)
    due = following(definition.spec.triggers, datetime.now(UTC)) if definition else None
    return WorkerReport(
        interpreter=INTERPRETER,
        digest=definition_digest(definition.source) if definition else "",
        problem=triggers.problems().get(workflow, "")[:1000],
        next_schedule=_time(due.timestamp()) if due else None,
        capacity=engine.queue.settings.segments,
        queued=_of_all(counts, "queued"),
        running=_of_all(counts, "running"),
        unfinished={**await engine.queue.earlier(), str(INTERPRETER): _of_all(counts, *unfinished)},
        last_runs=tuple(map(_last, (await engine.store.listed(workflow))[:LAST_RUNS])),
        success_rate=done / (done + failed) if done + failed else None,
        needs_attention=own.get("needs_attention", 0),
    )


async def _counts(engine: WorkflowEngine) -> dict[tuple[str, str], int]:
    rows = await engine.database.fetch(
        "SELECT workflow, state, count(*) AS many FROM workflow_runs WHERE ended IS NULL "
        "OR ended > now_epoch() - $1 GROUP BY workflow, state",
        COUNTED_SECONDS,
    )
    return {(cast(str, row["workflow"]), cast(str, row["state"])): cast(int, row["many"]) for row in rows}


def _of_all(counts: dict[tuple[str, str], int], *states: str) -> int:
    return sum(many for (_, state), many in counts.items() if state in states)


def _last(run: WorkflowRun) -> LastRun:
    ended = _time(run.ended) if run.ended is not None else None
    return LastRun(id=run.id, state=run.state.value, started=_time(run.created), ended=ended)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
