"""The engine of one worker: it takes segments of runs, and looks after those of workers that died.

The store's row of a run says what is to be done, and the queue is only told of it: a run whose segment got lost on the
way is queued again.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from slipway_runtime import retrying
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.telemetry.tracing import incoming, span
from slipway_runtime.workflows import metrics, workers
from slipway_runtime.workflows.dbos_queue import VERSION, SegmentQueue
from slipway_runtime.workflows.definition import WorkflowDefinition
from slipway_runtime.workflows.interpreter import Segment
from slipway_runtime.workflows.records import WHOLE, NewWorkflowRun, RunState, StepStatus, WorkflowRun
from slipway_runtime.workflows.rows import Ending, Superseded
from slipway_runtime.workflows.runs import RunStore
from slipway_runtime.workflows.schemas import misfit
from slipway_runtime.workflows.steps.doing import AgentDoor

log = logging.getLogger(__name__)
T = TypeVar("T")
BEAT_SECONDS = 0.5
BEATS_BEFORE_JUDGING = 5
"""After an outage of the store every heartbeat is old, so others get time to beat again."""
LOST_SECONDS = 5.0
"""After which it is looked whether the engine still knows of a run."""
LOOK_AFTER_BEATS = 4
MOST_TAKES = 10
"""Workers that may end in the middle of a run: it may be the run that ends them."""
KEPT_SECONDS = 30 * 24 * 3600.0
"""How long a run is kept after its end."""
FORGOTTEN_BEATS = 10


class UnknownWorkflow(Exception):
    """There is no such workflow here."""


class InvalidInput(Exception):
    """The input does not fit; the text says how."""


class InvalidRetry(Exception):
    """A run cannot be done again like this; the text says why."""


@dataclass
class WorkflowEngine:
    """Runs of the workflows of a namespace.

    Args:
        definitions: the workflows that may be started, by `namespace/name`. They may change at any time.
        sole: whether no other worker can live, so that whoever is silent is dead.
    """

    database: Database
    queue: SegmentQueue
    calls: AgentDoor
    definitions: Mapping[str, WorkflowDefinition] = field(default_factory=dict)
    sole: bool = False
    running: dict[tuple[str, int], Segment] = field(default_factory=dict)
    _suspected: frozenset[tuple[str, int]] = frozenset()
    _buried: frozenset[str] = frozenset()
    """Dead workers that have left nothing."""
    _beats: int = 0

    def __post_init__(self) -> None:
        self.store = RunStore(self.database)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Work for as long as the block lasts. Segments that are under way at its end are done by others."""
        await workers.beat(self.database, self.queue.executor, VERSION)
        await self.queue.open(self._work)
        looking = asyncio.create_task(self._look_after(), name="look after runs")
        try:
            yield
        finally:
            await self.queue.close(seconds=0)
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            with suppress(StoreUnavailable):
                await workers.leave(self.database, self.queue.executor)

    # What callers ask for.

    async def begin(self, new: NewWorkflowRun) -> WorkflowRun:
        """Start a run, or find the one that was started under its id.

        Raises:
            UnknownWorkflow, InvalidInput, StoreUnavailable.
        """
        definition = self.definitions.get(new.workflow)
        if definition is None:
            raise UnknownWorkflow(new.workflow)
        schema = definition.spec.input.json_schema if definition.spec.input else None
        if schema is not None and (problem := misfit(schema, new.input)):
            raise InvalidInput(f"the input {problem}")
        run_id = new.run_id or uuid.uuid4().hex
        if await self.store.add(run_id, new, definition):
            metrics.STARTED.labels(new.workflow, new.started_by).inc()
            await self.enqueue(await self.store.read(run_id))
        return await self.store.read(run_id)

    async def retry(self, run_id: str, start: str | None, by: NewWorkflowRun) -> WorkflowRun:
        """Start a run that does an ended one again from a step on, with its input and definition.

        Args:
            start: the step; the one that failed if not given.

        Raises:
            RunGone: if there is no such run.
            InvalidRetry: if it has not ended, or has no such step.
        """
        run = await self.store.read(run_id, workflow=by.workflow)
        definition = await self.store.definition(run.definition)
        start = start or run.failed_step
        if run.ended is None:
            raise InvalidRetry(f"the run is {run.state}: cancel it first")
        if start is None:
            raise InvalidRetry("no step of the run failed: name the step to begin with")
        if start not in definition.steps:
            raise InvalidRetry(f"the run has no step {start}: it has {', '.join(definition.steps)}")
        again = definition.after(start) | {start}
        rows = (await self.store.steps(run_id)).values()
        kept = [
            row for row in rows if row.name not in again and row.state in (StepStatus.SUCCEEDED, StepStatus.SKIPPED)
        ]
        whole = {row.name for row in kept if row.place == WHOLE}
        new_id = by.run_id or uuid.uuid4().hex
        await self.store.add_retry(new_id, run, by, [row for row in kept if row.name in whole])
        made = await self.store.read(new_id)
        await self.enqueue(made)
        return made

    async def enqueue(self, run: WorkflowRun) -> None:
        """Have a run worked on if it is queued. If that fails it is done a little later."""
        if run.state is not RunState.QUEUED:
            return
        try:
            await self.queue.put(run.id, run.segment, workflow=run.workflow)
        except Exception:
            log.exception("a run could not be queued; it is queued later", extra={"run": run.id})

    def noticed(self, run_id: str) -> None:
        """Something came for a run, which may be worked on here."""
        for (running, _), segment in self.running.items():
            if running == run_id:
                segment.notice()

    # What the queue gives.

    async def _work(self, run_id: str, number: int) -> None:
        """Do a segment. One that is over, or another worker's, is left alone."""
        run = await _kept(lambda: self.store.take(run_id, number, self.queue.executor))
        if run is None:
            return
        if run.attempt - run.segment > MOST_TAKES:
            message = f"{MOST_TAKES} workers ended in the middle of the run: see their logs, and run `retry` when fixed"
            await _kept(lambda: self.store.end(run, Ending(RunState.FAILED, reason="WorkersDied", message=message)))
            return
        definition = await _kept(lambda: self.store.definition(run.definition))
        segment = Segment(run, definition, store=self.store, calls=self.calls)
        self.running[run_id, number] = segment
        parent = incoming({"traceparent": run.trace} if run.trace else {})
        try:
            about = {"slipway.workflow": run.workflow, "slipway.run": run_id}
            with span("workflow", parent=parent, attributes=about) as current:
                state = await self._worked(segment, run)
                current.set_attribute("slipway.state", state.value if state else "")
        finally:
            self.running.pop((run_id, number), None)
        if state in (RunState.DONE, RunState.FAILED):
            metrics.ended(run.workflow, state.value, time.time() - run.created)

    async def _worked(self, segment: Segment, run: WorkflowRun) -> RunState | None:
        try:
            return await segment.work()
        except Exception:
            log.exception("a run failed for no reason of its own", extra={"run": run.id})
            message = "the worker failed; its log has the cause"
            ending = Ending(RunState.FAILED, reason="InternalError", message=message)
            with suppress(Superseded):
                await _kept(lambda: self.store.end(run, ending))
            return RunState.FAILED

    # What keeps runs going.

    async def _look_after(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._beat()
            except StoreUnavailable:
                self._beats = 0
            except Exception:
                log.exception("runs could not be looked after; it is tried again")
            await asyncio.sleep(max(BEAT_SECONDS - (time.monotonic() - began), 0.05))

    async def _beat(self) -> None:
        await workers.beat(self.database, self.queue.executor, VERSION)
        self._beats += 1
        await self._notice_changes()
        for run in await self.store.due():
            await self.enqueue(run)
        if self.sole or self._beats > BEATS_BEFORE_JUDGING:
            await self._recover()
        if self._beats % LOOK_AFTER_BEATS == 0:
            await self._repair()
        if self._beats % FORGOTTEN_BEATS == 0:
            await self._give_back()
            await workers.forget(self.database)
            await self.queue.forget(await self.store.forget(seconds=KEPT_SECONDS))

    async def _notice_changes(self) -> None:
        """Tell segments here of what came for their runs by other workers."""
        standing = await self.store.standing([run_id for run_id, _ in self.running])
        for (run_id, _), segment in list(self.running.items()):
            now = standing.get(run_id)
            if now is None or segment.differs(now):
                segment.notice()

    async def _recover(self) -> None:
        seconds = 0.0 if self.sole else workers.DEAD_SECONDS
        dead = frozenset(await workers.dead(self.database, but=self.queue.executor, seconds=seconds))
        if not (left := dead - self._buried):
            self._buried &= dead
            return
        if count := await self.queue.recover(left):
            log.warning("segments of dead workers are done by others", extra={"segments": count})
            metrics.RECOVERED.inc(count)
            return
        self._buried = dead

    async def _repair(self) -> None:
        """Queue runs again that the engine does not know, or believes to be over."""
        runs = await self.store.doubtful(seconds=LOST_SECONDS)
        known = await self.queue.states([(run.id, run.segment) for run in runs]) if runs else {}
        for run in runs:
            meant = known.get((run.id, run.segment))
            if meant is None and run.state is RunState.QUEUED:
                await self.enqueue(run)
            elif not meant and (again := await self.store.again(run)) is not None:
                log.warning("a run that the engine had given up is queued again", extra={"run": run.id})
                metrics.LOST.inc()
                await self.enqueue(again)

    async def _give_back(self) -> None:
        """Queue what the engine believes to be worked on here, and is not, at two looks."""
        lost = await self.queue.taken() - self.running.keys()
        for segment in lost & self._suspected:
            log.warning("a segment that nobody worked on is queued again", extra={"run": segment[0]})
            metrics.LOST.inc()
            await self.queue.give_back(segment)
        self._suspected = frozenset(lost)


async def _kept(step: Callable[[], Awaitable[T]]) -> T:
    """A step of the store, tried until it is there: what fails here would be over for the queue."""
    return await retrying.retry(step, policy=retrying.COMMIT, on=lambda error: isinstance(error, StoreUnavailable))
