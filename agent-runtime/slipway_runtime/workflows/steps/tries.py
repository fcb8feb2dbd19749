"""Tries of steps: one after the other until one gives an output, or none will."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from opentelemetry.trace import SpanKind

from slipway_crds.contract import NEEDS_ATTENTION
from slipway_crds.workflows.model import WorkflowStep
from slipway_runtime.telemetry.tracing import span
from slipway_runtime.workflows import metrics
from slipway_runtime.workflows.definition import WorkflowDefinition, seconds
from slipway_runtime.workflows.expressions import ExpressionFailed, evaluate
from slipway_runtime.workflows.records import WHOLE, StepRow, StepStatus, WorkflowRun, shown_output
from slipway_runtime.workflows.schedule import previous_results, variables
from slipway_runtime.workflows.steps.doing import AgentDoor, PlannedCall, checked, done, planned
from slipway_runtime.workflows.steps.failures import TryFailed

log = logging.getLogger(__name__)
MOST_ELEMENTS = 1000
"""Of the list of a map."""
Rows = dict[tuple[str, int], StepRow]


class Commit(Protocol):
    """Keeps a row, with the events that tell of it."""

    def __call__(self, row: StepRow, *events: tuple[str, dict[str, Any]]) -> Awaitable[None]:
        """Raises Superseded."""
        ...


class Tries:
    """The tries of all steps of a run on one worker."""

    def __init__(
        self,
        run: WorkflowRun,
        definition: WorkflowDefinition,
        rows: Rows,
        *,
        calls: AgentDoor,
        commit: Commit,
        now: Callable[[], float],
    ) -> None:
        self._run = run
        self._definition = definition
        self._rows = rows
        self._calls = calls
        self._commit = commit
        self._now = now

    async def step(self, step: WorkflowStep) -> None:
        """Do a step: one try, or all elements of a map. What became of it is in its row. Raises Superseded."""
        if step.map is None:
            await self._try(step, WHOLE, {})
            return
        await self._map(step)

    async def _map(self, step: WorkflowStep) -> None:
        assert step.map is not None
        row = self._rows.get((step.name, WHOLE)) or StepRow(step.name, WHOLE, StepStatus.RUNNING, attempts=1)
        try:
            items = self._items(step)
        except TryFailed as error:
            await self._ended(replace(row, state=StepStatus.FAILED, reason=error.reason, message=error.message))
            return
        if (step.name, WHOLE) not in self._rows:
            row = replace(row, details={"elements": len(items)})
            await self._commit(row, ("step_started", {"step": step.name, "elements": len(items)}))
        places = asyncio.Semaphore(step.map.concurrency)

        async def element(index: int, item: Any) -> None:
            async with places:
                await self._element(step, index, {"item": item, "index": index})

        tasks = [asyncio.create_task(element(index, item)) for index, item in enumerate(items)]
        try:
            await self._settled(step, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._gathered(step, row, len(items))

    def _items(self, step: WorkflowStep) -> Sequence[Any]:
        assert step.map is not None
        try:
            items = evaluate(step.map.over, variables(self._run, self._rows))
        except ExpressionFailed as error:
            raise TryFailed("ExpressionFailed", f"map.over: {error}", final=True) from error
        if not isinstance(items, list):
            raise TryFailed("ExpressionFailed", f"map.over: {step.map.over[:100]} is no list", final=True)
        if len(items) > MOST_ELEMENTS:
            raise TryFailed("ListTooLong", f"map.over has {len(items)} elements, {MOST_ELEMENTS} at most", final=True)
        return items

    async def _settled(self, step: WorkflowStep, tasks: list[asyncio.Task[None]]) -> None:
        """Wait until all elements have ended, or one has failed. Raises what a task raised."""
        left = set(tasks)
        while left:
            ended, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
            if self._failed(step):
                return

    def _failed(self, step: WorkflowStep) -> StepRow | None:
        own = (row for row in self._rows.values() if row.name == step.name and row.place != WHOLE)
        return next((row for row in own if row.state is StepStatus.FAILED), None)

    async def _gathered(self, step: WorkflowStep, row: StepRow, count: int) -> None:
        """End a map whose elements have ended. One with an element that needs a person stays as it is."""
        if failed := self._failed(step):
            message = f"element {failed.place}: {failed.message}"
            await self._ended(replace(row, state=StepStatus.FAILED, reason=failed.reason, message=message))
            return
        own = [self._rows.get((step.name, place)) for place in range(count)]
        if any(each is None or not each.over for each in own):
            return
        try:
            output = checked([each.output for each in own if each is not None], None)
        except TryFailed as error:
            await self._ended(replace(row, state=StepStatus.FAILED, reason=error.reason, message=error.message))
            return
        await self._ended(replace(row, state=StepStatus.SUCCEEDED, output=output))

    async def _element(self, step: WorkflowStep, place: int, more: dict[str, Any]) -> None:
        while True:
            row = self._rows.get((step.name, place))
            if row is not None and (row.over or row.state is StepStatus.NEEDS_ATTENTION):
                return
            if row is not None and row.state is StepStatus.RETRYING and row.not_before is not None:
                await asyncio.sleep(max(row.not_before - self._now(), 0.0))
            await self._try(step, place, more)

    async def _try(self, step: WorkflowStep, place: int, more: dict[str, Any]) -> None:
        before = self._rows.get((step.name, place)) or StepRow(step.name, place, StepStatus.RETRYING)
        row = replace(before, state=StepStatus.RUNNING, not_before=None, reason=None, message=None)
        if before.state is not StepStatus.RUNNING:  # one that a lost worker began is the same try
            row = replace(row, attempts=row.attempts + 1)
        attributes: dict[str, str | int] = {
            "slipway.run": self._run.id,
            "slipway.step": step.name,
            "slipway.attempt": row.attempts,
        }
        with span("step", kind=SpanKind.INTERNAL, attributes=attributes):
            try:
                work = await self._planned(step, place, row, more)
                row = replace(row, agent=work.call.agent, details={**row.details, **_choice(work)})
                await self._commit(row, ("step_started", self._told(row, {"agent": row.agent}, attempt=row.attempts)))
                async with asyncio.timeout(seconds(step.timeout)):
                    output = await done(work, self._run, shape=step.output, calls=self._calls)
            except TimeoutError:
                message = f"the try took longer than {step.timeout}"
                late = TryFailed("StepTimeout", message, known=False, over=True)  # the call was left, which cancels it
                await self._failed_try(step, row, late)
            except TryFailed as error:
                await self._failed_try(step, row, error)
            else:
                await self._ended(replace(row, state=StepStatus.SUCCEEDED, output=output))

    async def _planned(self, step: WorkflowStep, place: int, row: StepRow, more: dict[str, Any]) -> PlannedCall:
        seen = {**variables(self._run, self._rows), **more}
        previous = previous_results(self._definition, step, self._rows)
        key = idempotency_key(self._run.id, step.name, place, calls=int(row.details.get("calls", 0)))
        work = await planned(step, self._run, seen, previous, key=key, calls=self._calls)
        if row.agent is not None and row.agent in work.candidates:  # the choice was made by the first try
            work = replace(work, call=replace(work.call, agent=row.agent))
        return work

    async def _failed_try(self, step: WorkflowStep, row: StepRow, error: TryFailed) -> None:
        details = {**row.details, "calls": int(row.details.get("calls", 0)) + int(error.over)}
        if step.repeat == "Never" and not error.known:
            message = f"{error.message}; nobody knows what came of it"
            state = StepStatus.NEEDS_ATTENTION
            stopped = replace(row, state=state, details=details, reason=NEEDS_ATTENTION, message=message)
            self._count(stopped)
            await self._commit(stopped, ("needs_attention", self._told(row, {"message": message})))
            return
        if error.final or row.attempts >= step.retry.attempts:
            await self._ended(replace(row, state=StepStatus.FAILED, reason=error.reason, message=error.message))
            return
        longest = seconds(step.retry.max_delay)
        delay = min(seconds(step.retry.delay) * 2 ** (row.attempts - 1), longest)
        again = replace(
            row,
            state=StepStatus.RETRYING,
            details=details,
            reason=error.reason,
            message=error.message,
            not_before=self._now() + delay,
        )
        self._count(again)
        told = self._told(row, {"reason": error.reason, "message": error.message, "until": again.not_before})
        await self._commit(again, ("step_retrying", told))

    async def _ended(self, row: StepRow) -> None:
        self._count(row)
        told: dict[str, Any] = {"state": row.state.value, "reason": row.reason, "message": row.message}
        if row.state is StepStatus.SUCCEEDED:
            told |= shown_output(row.output)
        await self._commit(row, ("step_ended", self._told(row, told)))

    def _count(self, row: StepRow) -> None:
        metrics.STEPS.labels(self._run.workflow, row.name, row.state.value).inc()

    def _told(self, row: StepRow, more: dict[str, Any], **others: Any) -> dict[str, Any]:
        where = {"step": row.name, "index": None if row.place == WHOLE else row.place}
        return {key: value for key, value in {**where, **more, **others}.items() if value is not None}


def _choice(work: PlannedCall) -> dict[str, Any]:
    return {"candidates": list(work.candidates)} if work.candidates else {}


def idempotency_key(run: str, step: str, place: int, *, calls: int) -> str:
    """Names a call: the same for a try whose call may go on, another one after a call that is over.

    Args:
        calls: how many calls of this step are over, and failed or were cancelled.
    """
    name = f"{run}/{step}" if place == WHOLE else f"{run}/{step}/{place}"
    return f"{name}~{calls}" if calls else name
