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

from slipway_runtime.store.database import Database
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
from slipway_runtime.workflows.rows import (
    COLUMNS,
    WRITTEN,
    Ending,
    NotOpen,
    RunGone,
    append_events,
    dumps,
    event_of,
    held,
    keep_definition,
    locked,
    put_end,
    put_step,
    run_of,
    step_of,
    step_values,
    take_news,
)

PAGE_SIZE = 50
IN_SHORT = COLUMNS.replace(" input,", " '{}' AS input,").replace(" output,", " NULL AS output,")
"""The columns of a run, without what is long."""


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
            await keep_definition(within, definition)
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
                dumps(new.input),
                definition.timeout,
            )
            if rows:
                await append_events(within, run_id, [("queued", {"started_by": new.started_by})])
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
                dumps(of.input),
                definition.timeout,
                of.id,
            )
            for step in steps:
                await put_step(within, run_id, step)
            await append_events(within, run_id, [("queued", {"started_by": by.started_by, "retry_of": of.id})])

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
        return run_of(rows[0])

    async def steps(self, run_id: str) -> dict[tuple[str, int], StepRow]:
        """What has begun of a run's steps."""
        rows = await self.database.fetch("SELECT * FROM workflow_steps WHERE run_id = $1", run_id)
        return {step.key: step for step in map(step_of, rows)}

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
        return [event_of(row) for row in rows]

    async def listed(
        self, workflow: str, *, state: RunState | None = None, before: tuple[float, str] | None = None
    ) -> list[WorkflowRun]:
        """Up to a page of runs, newest first, and one more. They come without their inputs and outputs."""
        time, run_id = before or (float("inf"), "")
        rows = await self.database.fetch(
            f"SELECT {IN_SHORT} FROM workflow_runs WHERE workflow = $1 "
            f"AND (created < $2 OR (created = $2 AND id < $3)) {'AND state = $5' if state else ''} "
            "ORDER BY created DESC, id DESC LIMIT $4",
            workflow,
            time,
            run_id,
            PAGE_SIZE + 1,
            *([state.value] if state else []),
        )
        return [run_of(row) for row in rows]

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
            run = run_of(rows[0])
            await append_events(within, run_id, [("started", {"attempt": run.attempt})])
            return run

    async def write(self, run: WorkflowRun, step: StepRow, *events: tuple[str, Mapping[str, Any]]) -> None:
        """Commit what became of a step, with the events that tell of it. What has ended stays as it is.

        Raises:
            Superseded: if the run is not this worker's any more.
        """
        if len(events) == 1:
            ((kind, data),) = events
            args = [run.id, run.attempt, *step_values(step), kind, dumps(data)]
            if await self.database.chain(*WRITTEN, args=args):
                return
        async with self.database.transaction() as within:
            await held(within, run)
            if await put_step(within, run.id, step):
                await append_events(within, run.id, events)

    async def end(self, run: WorkflowRun, ending: Ending) -> None:
        """Commit a run's end. Raises Superseded."""
        async with self.database.transaction() as within:
            await held(within, run)
            await put_end(within, run.id, ending)

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
                await held(within, run)
        return bool(rows)

    async def standing(self, run_ids: Sequence[str]) -> dict[str, WorkflowRun]:
        """Runs as they are now, of those that a worker has."""
        if not run_ids:
            return {}
        places = ", ".join(f"${number}" for number in range(1, len(run_ids) + 1))
        rows = await self.database.fetch(f"SELECT {COLUMNS} FROM workflow_runs WHERE id IN ({places})", *run_ids)
        return {run.id: run for run in map(run_of, rows)}

    # What comes from outside.

    async def cancel(self, run_id: str, *, workflow: str, by: str) -> WorkflowRun:
        """End a run at once; one that has ended stays as it is. Raises RunGone."""
        async with self.database.transaction() as within:
            run = await locked(within, run_id, workflow)
            if run.state not in ENDED:
                await put_end(within, run_id, Ending(RunState.CANCELLED, message=f"cancelled by {by}"))
        return await self.read(run_id)

    async def settle(self, run_id: str, key: tuple[str, int], *, workflow: str, change: "Change") -> WorkflowRun:
        """Change a step from outside, and have the run go on if it waited.

        Raises:
            RunGone: if there is no such run.
            NotOpen: if the run has ended, or the step does not wait for this.
        """
        async with self.database.transaction() as within:
            run = await locked(within, run_id, workflow)
            if run.state in ENDED:
                raise NotOpen(f"the run has ended: it is {run.state}")
            rows = await within.fetch(
                "SELECT * FROM workflow_steps WHERE run_id = $1 AND name = $2 AND place = $3", run_id, *key
            )
            step = step_of(rows[0]) if rows else None
            if step is None or step.state is not change.waits_as:
                now = step.state if step else "not begun"
                raise NotOpen(f"the step is {now}, and not {change.waits_as}")
            await put_step(within, run_id, change.on(step))
            await append_events(within, run_id, change.events)
            return await take_news(within, run)

    async def signal(self, run_id: str, name: str, payload: Any, *, workflow: str, by: str) -> WorkflowRun:
        """Keep an event that is sent to a run; the first of a name counts. Raises RunGone, NotOpen for ended runs."""
        async with self.database.transaction() as within:
            run = await locked(within, run_id, workflow)
            if run.state in ENDED:
                raise NotOpen(f"the run has ended: it is {run.state}")
            rows = await within.fetch(
                "INSERT INTO workflow_signals (run_id, name, payload, sent_by, at) "
                "VALUES ($1, $2, $3, $4, now_epoch()) ON CONFLICT (run_id, name) DO NOTHING RETURNING name",
                run_id,
                name,
                dumps(payload),
                by,
            )
            if not rows:
                return run
            await append_events(within, run_id, [("event_received", {"event": name, "by": by})])
            return await take_news(within, run)

    async def due(self) -> list[WorkflowRun]:
        """Runs that waited for a time that has come: they are queued again, as their next segment."""
        rows = await self.database.fetch(
            "UPDATE workflow_runs SET state = 'queued', segment = segment + 1, wake_at = NULL, changed = now_epoch() "
            "WHERE id IN (SELECT id FROM workflow_runs WHERE state IN ('waiting', 'needs_attention') "
            "AND ended IS NULL AND wake_at <= now_epoch() ORDER BY wake_at LIMIT 200) "
            f"AND state IN ('waiting', 'needs_attention') AND wake_at <= now_epoch() RETURNING {COLUMNS}"
        )
        return [run_of(row) for row in rows]

    async def forget(self, *, seconds: float) -> list[tuple[str, int]]:
        """Remove some runs that ended so long ago. Returns their segments."""
        rows = await self.database.fetch(
            "DELETE FROM workflow_runs WHERE id IN (SELECT id FROM workflow_runs WHERE ended < now_epoch() - $1 "
            "ORDER BY ended LIMIT 100) RETURNING id, segment",
            seconds,
        )
        found = ((cast(str, row["id"]), cast(int, row["segment"])) for row in rows)
        return [(run_id, number) for run_id, last in found for number in range(last + 1)]

    async def doubtful(self, *, seconds: float) -> list[WorkflowRun]:
        """Runs that have been queued or worked on for so long that the engine may have lost them."""
        rows = await self.database.fetch(
            f"SELECT {COLUMNS} FROM workflow_runs WHERE state IN ('queued', 'running') AND ended IS NULL "
            "AND changed < now_epoch() - $1 ORDER BY changed LIMIT 200",
            seconds,
        )
        return [run_of(row) for row in rows]

    async def again(self, run: WorkflowRun) -> WorkflowRun | None:
        """Queue a run as its next segment, if it still is as it was. None if it is not."""
        rows = await self.database.fetch(
            "UPDATE workflow_runs SET state = 'queued', segment = segment + 1, changed = now_epoch() WHERE id = $1 "
            f"AND segment = $2 AND attempt = $3 AND state = $4 AND ended IS NULL RETURNING {COLUMNS}",
            run.id,
            run.segment,
            run.attempt,
            run.state.value,
        )
        return run_of(rows[0]) if rows else None


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
