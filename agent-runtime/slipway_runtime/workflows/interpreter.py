"""A segment of a run: everything that can be done until the run ends, or waits for something from outside.

It schedules steps by their needs, several at once, and keeps nothing that the store does not have: whoever takes the
run over goes on from the rows. A step's row is committed before it acts. One that was left `running` is done again
under the same idempotency key, or stops as `NeedsAttention` if it must not be repeated.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from slipway_crds.contract import NEEDS_ATTENTION
from slipway_crds.workflows.model import WorkflowStep
from slipway_runtime import retrying
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.workflows.definition import WorkflowDefinition
from slipway_runtime.workflows.expressions import ExpressionFailed
from slipway_runtime.workflows.records import WHOLE, RunState, StepRow, StepStatus, WorkflowRun
from slipway_runtime.workflows.rows import Ending, Superseded
from slipway_runtime.workflows.runs import RunStore
from slipway_runtime.workflows.schedule import ending as ending_of
from slipway_runtime.workflows.schedule import is_done, ready
from slipway_runtime.workflows.steps.doing import AgentDoor
from slipway_runtime.workflows.steps.tries import Tries
from slipway_runtime.workflows.steps.waits import begun, waited

log = logging.getLogger(__name__)
T = TypeVar("T")
Key = tuple[str, int]
REST_SECONDS = 10.0
"""A pause that is shorter is waited for with the run in hand."""
WAITS = frozenset({StepStatus.WAITING, StepStatus.NEEDS_ATTENTION})


class Segment:
    """One segment of one run, on the worker that took it.

    Args:
        run: as `RunStore.take` gave it.
    """

    def __init__(self, run: WorkflowRun, definition: WorkflowDefinition, *, store: RunStore, calls: AgentDoor) -> None:
        self.run = run
        self._definition = definition
        self._store = store
        self._skew = run.changed - time.time()
        self._rows: dict[Key, StepRow] = {}
        self._signals: dict[str, object] = {}
        self._news = run.news
        self._noticed = asyncio.Event()
        self._noticed.set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tries = Tries(run, definition, self._rows, calls=calls, commit=self._commit, now=self.now)

    def now(self) -> float:
        """The store's time, nearly."""
        return time.time() + self._skew

    def notice(self) -> None:
        """Something came from outside: look at the store."""
        self._noticed.set()

    def differs(self, now: WorkflowRun) -> bool:
        """Whether something came for the run that was not looked at."""
        return now.news != self._news or now.attempt != self.run.attempt or now.ended is not None

    async def work(self) -> RunState | None:
        """Work until the run ends or waits. Returns which; None if it is another worker's, or was cancelled."""
        try:
            return await self._work()
        except Superseded:
            return None
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _work(self) -> RunState:
        await self._adopt()
        while True:
            if self._noticed.is_set():
                await self._look()
            over = await self._advance()
            if over is not None:
                return await self._end(over)
            if not self._tasks and not self._noticed.is_set() and not self._pauses_briefly():
                if (state := await self._rest()) is not None:
                    return state
                self.notice()
                continue
            await self._next()

    async def _end(self, ending: Ending) -> RunState:
        await self._stop_tasks()
        await self._kept(lambda: self._store.end(self.run, ending))
        return ending.state

    async def _adopt(self) -> None:
        """Read what was done before. A step that was left in the middle and must not be repeated stops."""
        self._rows.update(await self._kept(lambda: self._store.steps(self.run.id)))
        for row in list(self._rows.values()):
            step = self._definition.steps[row.name]
            if row.state is StepStatus.RUNNING and step.repeat == "Never" and not (step.map and row.place == WHOLE):
                told = {"step": row.name} | ({"index": row.place} if row.place != WHOLE else {})
                message = "a worker ended while this step was done, and nobody knows what came of it"
                stopped = replace(row, state=StepStatus.NEEDS_ATTENTION, reason=NEEDS_ATTENTION, message=message)
                await self._commit(stopped, ("needs_attention", {**told, "message": message}))

    async def _look(self) -> None:
        """Read what came from outside."""
        self._noticed.clear()
        current = await self._kept(lambda: self._store.read(self.run.id))
        if current.attempt != self.run.attempt or current.state is not RunState.RUNNING:
            raise Superseded(self.run.id)
        self._news = current.news
        self._signals = await self._kept(lambda: self._store.signals(self.run.id))
        for key, row in (await self._kept(lambda: self._store.steps(self.run.id))).items():
            if key in self._rows and self._rows[key].state in WAITS:
                self._rows[key] = row

    async def _advance(self) -> Ending | None:
        """Begin what can be begun, and end what has waited long enough. Returns how the run ends, if it does."""
        while True:
            for name in [name for name, task in self._tasks.items() if task.done()]:
                self._tasks.pop(name).result()
            if self.now() > self.run.deadline:
                return Ending(RunState.FAILED, reason="RunTimeout", message="the run took longer than limits.timeout")
            changed = await self._waits()
            for step in ready(self._definition, self._rows):
                changed |= await self._decide(step)
            if (over := ending_of(self._definition, self.run, self._rows)) is not None:
                return over
            self._start()
            if not changed:
                return None

    async def _decide(self, step: WorkflowStep) -> bool:
        """Leave a step out, have it wait, or note that it begins. Whether its row changed."""
        try:
            done = is_done(step, self.run, self._rows)
            row, *events = begun(step, self.run, self._rows, now=self.now()) if done else (_skipped(step),)
        except ExpressionFailed as error:
            row = StepRow(step.name, WHOLE, StepStatus.FAILED, reason="ExpressionFailed", message=str(error))
            events = []
        if row is None:
            return self._begin(step)
        if row.over:
            events = [("step_ended", {"step": step.name, "state": row.state.value, **_why(row)})]
        await self._commit(row, *events)
        return True

    def _begin(self, step: WorkflowStep) -> bool:
        """Have a task for a step, if there is room for it."""
        if step.name in self._tasks or len(self._tasks) >= self._definition.spec.limits.steps_at_once:
            return False
        self._tasks[step.name] = asyncio.create_task(self._tries.step(step), name=f"{self.run.id}/{step.name}")
        return False

    def _start(self) -> None:
        """Go on with steps that were begun before."""
        for row in self._rows.values():
            again = row.state is StepStatus.RETRYING and (row.not_before or 0) <= self.now()
            if row.place == WHOLE and (row.state is StepStatus.RUNNING or again) and not self._stuck(row.name):
                self._begin(self._definition.steps[row.name])

    def _stuck(self, name: str) -> bool:
        """Whether an element of a step needs a person before the step goes on."""
        return any(row.name == name and row.state is StepStatus.NEEDS_ATTENTION for row in self._rows.values())

    async def _waits(self) -> bool:
        """End waits that are over."""
        changed = False
        for row in list(self._rows.values()):
            if row.state is not StepStatus.WAITING:
                continue
            ended = waited(self._definition.steps[row.name], row, self._signals, now=self.now())
            if ended is not None:
                told = {"step": row.name, "state": ended.state.value, **_why(ended)}
                await self._commit(ended, ("step_ended", told))
                changed = True
        return changed

    def _pauses(self) -> list[float]:
        return [row.not_before for row in self._rows.values() if row.state is StepStatus.RETRYING and row.not_before]

    def _pauses_briefly(self) -> bool:
        return any(until - self.now() < REST_SECONDS for until in self._pauses())

    async def _next(self) -> None:
        """Wait for a task, for something from outside, or for the time of the next try."""
        until = min([self.run.deadline, *self._pauses()])
        noticed = asyncio.create_task(self._noticed.wait())
        try:
            waiting = {noticed, *self._tasks.values()}
            most = max(until - self.now(), 0.0) + 0.01
            await asyncio.wait(waiting, timeout=most, return_when=asyncio.FIRST_COMPLETED)
        finally:
            noticed.cancel()

    async def _rest(self) -> RunState | None:
        """Give the run back until something comes. None if that has come already."""
        rows = self._rows.values()
        times = [row.not_before for row in rows if row.state in (StepStatus.WAITING, StepStatus.RETRYING)]
        stuck = any(row.state is StepStatus.NEEDS_ATTENTION for row in rows)
        state = RunState.NEEDS_ATTENTION if stuck else RunState.WAITING
        wake_at = min([self.run.deadline, *(each for each in times if each is not None)])
        rested = await self._kept(lambda: self._store.rest(self.run, state, wake_at=wake_at, news=self._news))
        return state if rested else None

    async def _stop_tasks(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        for task in self._tasks.values():
            with suppress(asyncio.CancelledError, Exception):
                await task
        self._tasks.clear()

    async def _commit(self, row: StepRow, *events: tuple[str, dict[str, object]]) -> None:
        """Keep what became of a step, in the store and then here. Raises Superseded."""
        await self._kept(lambda: self._store.write(self.run, row, *events))
        self._rows[row.key] = row

    async def _kept(self, step: Callable[[], Awaitable[T]]) -> T:
        """A step of the store, tried until it is there."""
        return await retrying.retry(step, policy=retrying.COMMIT, on=lambda error: isinstance(error, StoreUnavailable))


def _skipped(step: WorkflowStep) -> StepRow:
    return StepRow(step.name, WHOLE, StepStatus.SKIPPED)


def _why(row: StepRow) -> dict[str, object]:
    words = {"reason": row.reason, "message": row.message}
    return {key: value for key, value in words.items() if value is not None}
