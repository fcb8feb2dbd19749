"""Rows of runs, steps and events: how they are written within a transaction, and what they are read as."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from slipway_runtime.store.database import Database, Row, Value
from slipway_runtime.workflows.definition import WorkflowDefinition
from slipway_runtime.workflows.records import RunEvent, RunState, StepRow, StepStatus, WorkflowRun, shown_output

COLUMNS = (
    "id, workflow, definition, caller, started_by, statement, trace, input, state, segment, attempt, worker, news, "
    "last_event, created, changed, deadline, wake_at, ended, output, reason, message, failed_step, retry_of"
)

RUN_ENDED = "RunEnded"
LEFT_WAITING = "the run ended while the step waited"


class Superseded(Exception):
    """Another worker has the run, or it has ended: nothing may be written any more."""


class RunGone(Exception):
    """There is no such run."""


class NotOpen(Exception):
    """The run or the step is not in the state that this needs; the text says which it is in."""


@dataclass(frozen=True)
class Ending:
    """How a run ends."""

    state: RunState
    output: Any = None
    reason: str | None = None
    message: str | None = None
    step: str | None = None

    def event(self) -> tuple[str, Mapping[str, Any]]:
        """The event that tells of it."""
        told = shown_output(self.output) if self.state is RunState.DONE else {}
        words = {"reason": self.reason, "message": self.message, "step": self.step}
        return self.state.value, told | {key: value for key, value in words.items() if value is not None}


async def locked(within: Database, run_id: str, workflow: str) -> WorkflowRun:
    """A run, which nobody else changes until the transaction ends. Raises RunGone."""
    rows = await within.fetch(f"SELECT {COLUMNS} FROM workflow_runs WHERE id = $1 FOR UPDATE", run_id)
    if not rows or rows[0]["workflow"] != workflow:
        raise RunGone(run_id)
    return run_of(rows[0])


async def held(within: Database, run: WorkflowRun) -> None:
    """See that an attempt still has its run. Raises Superseded."""
    rows = await within.fetch(
        "SELECT id FROM workflow_runs WHERE id = $1 AND attempt = $2 AND ended IS NULL AND state = 'running' "
        "FOR UPDATE",
        run.id,
        run.attempt,
    )
    if not rows:
        raise Superseded(run.id)


async def take_news(within: Database, run: WorkflowRun) -> WorkflowRun:
    """Have a run look at what came; one that waits becomes the next segment."""
    rows = await within.fetch(
        "UPDATE workflow_runs SET news = news + 1, changed = now_epoch(), "
        "segment = segment + CASE WHEN state IN ('waiting', 'needs_attention') THEN 1 ELSE 0 END, "
        "state = CASE WHEN state IN ('waiting', 'needs_attention') THEN 'queued' ELSE state END "
        f"WHERE id = $1 RETURNING {COLUMNS}",
        run.id,
    )
    return run_of(rows[0])


async def put_end(within: Database, run_id: str, ending: Ending) -> None:
    """End a run, with the event that tells of it. What it waited for fails, so that a retry waits for it again."""
    left = await within.fetch(
        "UPDATE workflow_steps SET state = 'failed', reason = $2, message = $3, not_before = NULL, ended = now_epoch() "
        "WHERE run_id = $1 AND state = 'waiting' RETURNING name",
        run_id,
        RUN_ENDED,
        LEFT_WAITING,
    )
    told = {"state": StepStatus.FAILED.value, "reason": RUN_ENDED, "message": LEFT_WAITING}
    events = [("step_ended", {"step": name, **told}) for name in sorted(cast(str, row["name"]) for row in left)]
    await within.execute(
        "UPDATE workflow_runs SET state = $2, output = $3, reason = $4, message = $5, failed_step = $6, "
        "wake_at = NULL, ended = now_epoch(), changed = now_epoch() WHERE id = $1",
        run_id,
        ending.state.value,
        dumps(ending.output) if ending.state is RunState.DONE else None,
        ending.reason,
        ending.message,
        ending.step,
    )
    await append_events(within, run_id, [*events, ending.event()])


async def keep_definition(within: Database, definition: WorkflowDefinition) -> None:
    """Keep what runs are pinned to."""
    await within.execute(
        "INSERT INTO workflow_definitions (digest, workflow, spec) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
        definition.digest,
        definition.workflow,
        definition.text,
    )


async def append_events(within: Database, run_id: str, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Number events and keep them."""
    if not events:
        return
    rows = await within.fetch(
        "UPDATE workflow_runs SET last_event = last_event + $2 WHERE id = $1 RETURNING last_event", run_id, len(events)
    )
    first = cast(int, rows[0]["last_event"]) - len(events) + 1
    for seq, (kind, data) in enumerate(events, start=first):
        await within.execute(
            "INSERT INTO workflow_events (run_id, seq, at, type, data) VALUES ($1, $2, now_epoch(), $3, $4)",
            run_id,
            seq,
            kind,
            dumps(data),
        )


STEP_COLUMNS = "run_id, name, place, state, attempts, agent, details, output, reason, message, not_before, began, ended"
STEP_CHANGE = (
    "ON CONFLICT (run_id, name, place) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, "
    "agent = excluded.agent, details = excluded.details, output = excluded.output, reason = excluded.reason, "
    "message = excluded.message, ended = excluded.ended, not_before = excluded.not_before "
    "WHERE workflow_steps.state NOT IN ('succeeded', 'failed', 'skipped') RETURNING name"
)
"""A step that has ended has one result, also if a commit is repeated whose answer was lost."""
WRITTEN = (
    "UPDATE workflow_runs SET last_event = last_event + 1 WHERE id = $1 AND attempt = $2 AND ended IS NULL "
    "AND state = 'running' RETURNING id, last_event",
    f"INSERT INTO workflow_steps ({STEP_COLUMNS}) SELECT s1.id, CAST($3 AS TEXT), CAST($4 AS BIGINT), "
    "CAST($5 AS TEXT), CAST($6 AS BIGINT), CAST($7 AS TEXT), CAST($8 AS TEXT), CAST($9 AS TEXT), CAST($10 AS TEXT), "
    "CAST($11 AS TEXT), CAST($12 AS DOUBLE PRECISION), now_epoch(), "
    f"CASE WHEN CAST($13 AS BIGINT) = 1 THEN now_epoch() END FROM s1 WHERE true {STEP_CHANGE}",
    "INSERT INTO workflow_events (run_id, seq, at, type, data) SELECT s1.id, s1.last_event, now_epoch(), "
    "CAST($14 AS TEXT), CAST($15 AS TEXT) FROM s1, s2 RETURNING seq",
)
"""A step and its event in one round trip, if the attempt still has the run and the step has not ended."""


def step_values(step: StepRow) -> list[Value]:
    """What `STEP_COLUMNS` holds after the run, and whether the step has ended in place of the times."""
    return [
        step.name,
        step.place,
        step.state.value,
        step.attempts,
        step.agent,
        dumps(step.details),
        dumps(step.output) if step.state is StepStatus.SUCCEEDED else None,
        step.reason,
        step.message,
        step.not_before,
        int(step.over),
    ]


async def put_step(within: Database, run_id: str, step: StepRow) -> bool:
    """Keep a step. Whether it changed."""
    rows = await within.fetch(
        f"INSERT INTO workflow_steps ({STEP_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
        f"now_epoch(), CASE WHEN CAST($12 AS BIGINT) = 1 THEN now_epoch() END) {STEP_CHANGE}",
        run_id,
        *step_values(step),
    )
    return bool(rows)


def dumps(value: Any) -> str:
    """A value as the store keeps it."""
    return orjson.dumps(value).decode()


def loads(text: object) -> Any:
    """A value that the store kept; None for none."""
    return orjson.loads(cast(str, text)) if text is not None else None


def run_of(row: Row) -> WorkflowRun:
    """A run from its row."""
    values = dict(row)
    values["input"], values["output"] = loads(row["input"]), loads(row["output"])
    values["state"] = RunState(cast(str, row["state"]))
    return WorkflowRun(**cast(dict[str, Any], values))


def step_of(row: Row) -> StepRow:
    """A step from its row."""
    values = {key: value for key, value in row.items() if key != "run_id"}
    values["details"], values["output"] = loads(row["details"]), loads(row["output"])
    return StepRow(**cast(dict[str, Any], {**values, "state": StepStatus(cast(str, row["state"]))}))


def event_of(row: Row) -> RunEvent:
    """An event from its row."""
    return RunEvent(cast(int, row["seq"]), cast(float, row["at"]), cast(str, row["type"]), loads(row["data"]))
