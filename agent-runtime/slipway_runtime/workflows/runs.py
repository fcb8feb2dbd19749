"""Runs of workflows in the store of their namespace.

The store is the truth of a run: what its steps gave is committed here together with the event that tells of it, and
only by the attempt that the run has now, so a worker that was taken for dead changes nothing any more. The engine only
knows which segments of which runs are to be worked on.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from slipway_runtime.store.database import Database, Row
from slipway_runtime.workflows.definition import WorkflowDefinition
from slipway_runtime.workflows.records import (
    ENDED,
    NewWorkflowRun,
    RunEvent,
    RunState,
    StepRow,
    StepStatus,
    WorkflowRun,
)

PAGE_SIZE = 50
COLUMNS = (
    "id, workflow, definition, caller, started_by, statement, trace, input, state, segment, attempt, worker, news, "
    "last_event, created, changed, deadline, wake_at, ended, output, reason, message, failed_step, retry_of"
)


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
        told = {"output": self.output} if self.state is RunState.DONE else {}
        words = {"reason": self.reason, "message": self.message, "step": self.step}
        return self.state.value, told | {key: value for key, value in words.items() if value is not None}


def named_workflow_run(workflow: str, key: str) -> str:
    """The id of the run that a trigger's key names, such as a message's place in its topic."""
    return hashlib.sha256(orjson.dumps(["workflow", workflow, key])).hexdigest()[:32]


class RunStore:
    """All runs of a namespace."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def add(self, run_id: str, new: NewWorkflowRun, definition: WorkflowDefinition) -> bool:
        """Keep a run that is to be worked on. False if there is one with this id."""
        async with self.database.transaction() as within:
            await _keep_definition(within, definition)
            rows = await within.fetch(
                "INSERT INTO workflow_runs (id, workflow, definition, caller, started_by, statement, trace, input, "
                "state, segment, attempt, worker, news, last_event, created, changed, deadline) VALUES "
                "($1, $2, $3, $4, $5, $6, $7, $8, 'queued', 0, 0, '', 0, 0, now_epoch(), now_epoch(), "
                "now_epoch() + $9) ON CONFLICT (id) DO NOTHING RETURNING id",
                run_id,
                new.workflow,
                definition.digest,
                new.caller,
                new.started_by,
                new.statement,
                new.trace,
                _dumps(new.input),
                definition.timeout,
            )
            if rows:
                await _append(within, run_id, [("queued", {"started_by": new.started_by})])
            return bool(rows)

    async def add_retry(self, run_id: str, of: WorkflowRun, by: NewWorkflowRun, steps: Sequence[StepRow]) -> None:
        """Keep a run that has the definition and the input of another one, and what some of its steps gave."""
        definition = await self.definition(of.definition)
        async with self.database.transaction() as within:
            await within.execute(
                "INSERT INTO workflow_runs (id, workflow, definition, caller, started_by, statement, trace, input, "
                "state, segment, attempt, worker, news, last_event, created, changed, deadline, retry_of) VALUES "
                "($1, $2, $3, $4, $5, $6, $7, $8, 'queued', 0, 0, '', 0, 0, now_epoch(), now_epoch(), "
                "now_epoch() + $9, $10)",
                run_id,
                of.workflow,
                of.definition,
                by.caller,
                by.started_by,
                by.statement,
                by.trace,
                _dumps(of.input),
                definition.timeout,
                of.id,
            )
            for step in steps:
                await _put_step(within, run_id, step)
            await _append(within, run_id, [("queued", {"started_by": by.started_by, "retry_of": of.id})])

    async def definition(self, digest: str) -> WorkflowDefinition:
        """What runs are pinned to."""
        rows = await self.database.fetch("SELECT workflow, spec FROM workflow_definitions WHERE digest = $1", digest)
        return WorkflowDefinition(cast(str, rows[0]["workflow"]), cast(str, rows[0]["spec"]))

    async def read(self, run_id: str, *, workflow: str | None = None) -> WorkflowRun:
        """A run.

        Raises:
            RunGone: if there is none, or it is none of the workflow.
        """
        rows = await self.database.fetch(f"SELECT {COLUMNS} FROM workflow_runs WHERE id = $1", run_id)
        if not rows or (workflow is not None and rows[0]["workflow"] != workflow):
            raise RunGone(run_id)
        return _run(rows[0])

    async def steps(self, run_id: str) -> dict[tuple[str, int], StepRow]:
        """What has begun of a run's steps."""
        rows = await self.database.fetch("SELECT * FROM workflow_steps WHERE run_id = $1", run_id)
        return {step.key: step for step in map(_step, rows)}

    async def signals(self, run_id: str) -> dict[str, Any]:
        """Payloads of the events that were sent to a run."""
        rows = await self.database.fetch("SELECT name, payload FROM workflow_signals WHERE run_id = $1", run_id)
        return {cast(str, row["name"]): orjson.loads(cast(str, row["payload"])) for row in rows}

    async def events(self, run_id: str, *, after: int = 0) -> list[RunEvent]:
        """Events of a run after one of them."""
        rows = await self.database.fetch(
            "SELECT seq, at, type, data FROM workflow_events WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT 1000",
            run_id,
            after,
        )
        return [_event(row) for row in rows]

    async def listed(
        self, workflow: str, *, state: RunState | None = None, before: tuple[float, str] | None = None
    ) -> list[WorkflowRun]:
        """Up to a page of runs, newest first, and one more."""
        time, run_id = before or (float("inf"), "")
        rows = await self.database.fetch(
            f"SELECT {COLUMNS} FROM workflow_runs WHERE workflow = $1 AND (created < $2 OR (created = $2 AND id < $3)) "
            f"{'AND state = $5' if state else ''} ORDER BY created DESC, id DESC LIMIT $4",
            workflow,
            time,
            run_id,
            PAGE_SIZE + 1,
            *([state.value] if state else []),
        )
        return [_run(row) for row in rows]

    # What a worker does.

    async def take(self, run_id: str, segment: int, worker: str) -> WorkflowRun | None:
        """Begin to work on a segment of a run. None if that is over."""
        async with self.database.transaction() as within:
            rows = await within.fetch(
                "UPDATE workflow_runs SET state = 'running', attempt = attempt + 1, worker = $3, wake_at = NULL, "
                "changed = now_epoch() WHERE id = $1 AND segment = $2 AND ended IS NULL "
                f"AND state IN ('queued', 'running') RETURNING {COLUMNS}",
                run_id,
                segment,
                worker,
            )
            if not rows:
                return None
            run = _run(rows[0])
            await _append(within, run_id, [("started", {"attempt": run.attempt})])
            return run

    async def write(self, run: WorkflowRun, step: StepRow, *events: tuple[str, Mapping[str, Any]]) -> None:
        """Commit what became of a step, with the events that tell of it. What has ended stays as it is.

        Raises:
            Superseded: if the run is not this worker's any more.
        """
        async with self.database.transaction() as within:
            await _held(within, run)
            if await _put_step(within, run.id, step):
                await _append(within, run.id, events)

    async def end(self, run: WorkflowRun, ending: Ending) -> None:
        """Commit a run's end. Raises Superseded."""
        async with self.database.transaction() as within:
            await _held(within, run)
            await _end(within, run.id, ending)

    async def rest(self, run: WorkflowRun, state: RunState, *, wake_at: float | None, news: int) -> bool:
        """End a segment of a run that waits. False if there was news meanwhile. Raises Superseded."""
        rows = await self.database.fetch(
            "UPDATE workflow_runs SET state = $3, wake_at = $4, worker = '', changed = now_epoch() WHERE id = $1 "
            "AND attempt = $2 AND news = $5 AND ended IS NULL RETURNING id",
            run.id,
            run.attempt,
            state.value,
            wake_at,
            news,
        )
        if not rows:
            async with self.database.transaction() as within:
                await _held(within, run)
        return bool(rows)

    async def standing(self, run_ids: Sequence[str]) -> dict[str, WorkflowRun]:
        """Runs as they are now, of those that a worker has."""
        if not run_ids:
            return {}
        places = ", ".join(f"${number}" for number in range(1, len(run_ids) + 1))
        rows = await self.database.fetch(f"SELECT {COLUMNS} FROM workflow_runs WHERE id IN ({places})", *run_ids)
        return {run.id: run for run in map(_run, rows)}

    # What comes from outside.

    async def cancel(self, run_id: str, *, workflow: str, by: str) -> WorkflowRun:
        """End a run at once; one that has ended stays as it is. Raises RunGone."""
        async with self.database.transaction() as within:
            run = await _locked(within, run_id, workflow)
            if run.state not in ENDED:
                await _end(within, run_id, Ending(RunState.CANCELLED, message=f"cancelled by {by}"))
        return await self.read(run_id)

    async def settle(self, run_id: str, key: tuple[str, int], *, workflow: str, change: "Change") -> WorkflowRun:
        """Change a step from outside, and have the run go on if it waited.

        Raises:
            RunGone: if there is no such run.
            NotOpen: if the run has ended, or the step does not wait for this.
        """
        async with self.database.transaction() as within:
            run = await _locked(within, run_id, workflow)
            if run.state in ENDED:
                raise NotOpen(f"the run has ended: it is {run.state}")
            rows = await within.fetch(
                "SELECT * FROM workflow_steps WHERE run_id = $1 AND name = $2 AND place = $3", run_id, *key
            )
            step = _step(rows[0]) if rows else None
            if step is None or step.state is not change.waits_as:
                now = step.state if step else "not begun"
                raise NotOpen(f"the step is {now}, and not {change.waits_as}")
            await _put_step(within, run_id, change.on(step))
            await _append(within, run_id, change.events)
            return await _news(within, run)

    async def signal(self, run_id: str, name: str, payload: Any, *, workflow: str, by: str) -> WorkflowRun:
        """Keep an event that is sent to a run; the first of a name counts. Raises RunGone, NotOpen for ended runs."""
        async with self.database.transaction() as within:
            run = await _locked(within, run_id, workflow)
            if run.state in ENDED:
                raise NotOpen(f"the run has ended: it is {run.state}")
            rows = await within.fetch(
                "INSERT INTO workflow_signals (run_id, name, payload, sent_by, at) "
                "VALUES ($1, $2, $3, $4, now_epoch()) ON CONFLICT (run_id, name) DO NOTHING RETURNING name",
                run_id,
                name,
                _dumps(payload),
                by,
            )
            if not rows:
                return run
            await _append(within, run_id, [("event_received", {"event": name, "by": by})])
            return await _news(within, run)

    async def due(self) -> list[WorkflowRun]:
        """Runs that waited for a time that has come: they are queued again, as their next segment."""
        rows = await self.database.fetch(
            "UPDATE workflow_runs SET state = 'queued', segment = segment + 1, wake_at = NULL, changed = now_epoch() "
            "WHERE id IN (SELECT id FROM workflow_runs WHERE state IN ('waiting', 'needs_attention') "
            "AND ended IS NULL AND wake_at <= now_epoch() ORDER BY wake_at LIMIT 200) "
            f"AND state IN ('waiting', 'needs_attention') AND wake_at <= now_epoch() RETURNING {COLUMNS}"
        )
        return [_run(row) for row in rows]

    async def forget(self, *, seconds: float) -> list[tuple[str, int]]:
        """Remove some runs that ended so long ago. Returns their segments."""
        rows = await self.database.fetch(
            "DELETE FROM workflow_runs WHERE id IN (SELECT id FROM workflow_runs WHERE ended < now_epoch() - $1 "
            "ORDER BY ended LIMIT 100) RETURNING id, segment",
            seconds,
        )
        found = ((cast(str, row["id"]), cast(int, row["segment"])) for row in rows)
        return [(run_id, number) for run_id, last in found for number in range(last + 1)]

    async def stale(self, *, seconds: float) -> list[WorkflowRun]:
        """Runs that have been queued for so long that the engine may not know of them."""
        rows = await self.database.fetch(
            f"SELECT {COLUMNS} FROM workflow_runs WHERE state = 'queued' AND ended IS NULL "
            "AND changed < now_epoch() - $1 ORDER BY changed LIMIT 200",
            seconds,
        )
        return [_run(row) for row in rows]


@dataclass(frozen=True)
class Change:
    """What a person makes of a step that waits for them."""

    waits_as: StepStatus
    state: StepStatus
    events: Sequence[tuple[str, Mapping[str, Any]]]
    output: Any = None
    reason: str | None = None
    message: str | None = None

    def on(self, step: StepRow) -> StepRow:
        """The step as it is then."""
        return replace(
            step, state=self.state, output=self.output, reason=self.reason, message=self.message, not_before=None
        )


async def _locked(within: Database, run_id: str, workflow: str) -> WorkflowRun:
    rows = await within.fetch(f"SELECT {COLUMNS} FROM workflow_runs WHERE id = $1 FOR UPDATE", run_id)
    if not rows or rows[0]["workflow"] != workflow:
        raise RunGone(run_id)
    return _run(rows[0])


async def _held(within: Database, run: WorkflowRun) -> None:
    rows = await within.fetch(
        "SELECT id FROM workflow_runs WHERE id = $1 AND attempt = $2 AND ended IS NULL AND state = 'running' "
        "FOR UPDATE",
        run.id,
        run.attempt,
    )
    if not rows:
        raise Superseded(run.id)


async def _news(within: Database, run: WorkflowRun) -> WorkflowRun:
    """Have a run look at what came; one that waits becomes the next segment."""
    rows = await within.fetch(
        "UPDATE workflow_runs SET news = news + 1, changed = now_epoch(), "
        "segment = segment + CASE WHEN state IN ('waiting', 'needs_attention') THEN 1 ELSE 0 END, "
        "state = CASE WHEN state IN ('waiting', 'needs_attention') THEN 'queued' ELSE state END "
        f"WHERE id = $1 RETURNING {COLUMNS}",
        run.id,
    )
    return _run(rows[0])


async def _end(within: Database, run_id: str, ending: Ending) -> None:
    await within.execute(
        "UPDATE workflow_runs SET state = $2, output = $3, reason = $4, message = $5, failed_step = $6, "
        "wake_at = NULL, ended = now_epoch(), changed = now_epoch() WHERE id = $1",
        run_id,
        ending.state.value,
        _dumps(ending.output) if ending.state is RunState.DONE else None,
        ending.reason,
        ending.message,
        ending.step,
    )
    await _append(within, run_id, [ending.event()])


async def _keep_definition(within: Database, definition: WorkflowDefinition) -> None:
    await within.execute(
        "INSERT INTO workflow_definitions (digest, workflow, spec) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
        definition.digest,
        definition.workflow,
        definition.text,
    )


async def _append(within: Database, run_id: str, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
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
            _dumps(data),
        )


async def _put_step(within: Database, run_id: str, step: StepRow) -> bool:
    """Whether it changed: a step that has ended has one result, also if a commit is repeated whose answer was lost."""
    rows = await within.fetch(
        "INSERT INTO workflow_steps (run_id, name, place, state, attempts, agent, details, output, reason, message, "
        "began, ended, not_before) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now_epoch(), "
        f"{'now_epoch()' if step.over else 'NULL'}, $11) ON CONFLICT (run_id, name, place) DO UPDATE SET "
        "state = excluded.state, attempts = excluded.attempts, agent = excluded.agent, details = excluded.details, "
        "output = excluded.output, reason = excluded.reason, message = excluded.message, ended = excluded.ended, "
        "not_before = excluded.not_before "
        "WHERE workflow_steps.state NOT IN ('succeeded', 'failed', 'skipped') RETURNING name",
        run_id,
        step.name,
        step.place,
        step.state.value,
        step.attempts,
        step.agent,
        _dumps(step.details),
        _dumps(step.output) if step.state is StepStatus.SUCCEEDED else None,
        step.reason,
        step.message,
        step.not_before,
    )
    return bool(rows)


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def _loads(text: object) -> Any:
    return orjson.loads(cast(str, text)) if text is not None else None


def _run(row: Row) -> WorkflowRun:
    values = dict(row)
    values["input"], values["output"] = _loads(row["input"]), _loads(row["output"])
    values["state"] = RunState(cast(str, row["state"]))
    return WorkflowRun(**cast(dict[str, Any], values))


def _step(row: Row) -> StepRow:
    values = {key: value for key, value in row.items() if key != "run_id"}
    values["details"], values["output"] = _loads(row["details"]), _loads(row["output"])
    return StepRow(**cast(dict[str, Any], {**values, "state": StepStatus(cast(str, row["state"]))}))


def _event(row: Row) -> RunEvent:
    return RunEvent(cast(int, row["seq"]), cast(float, row["at"]), cast(str, row["type"]), _loads(row["data"]))
