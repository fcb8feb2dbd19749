"""Runs that a schedule begins. Every worker looks at every schedule; a time names its run, so it begins one."""

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime

from slipway_crds.schedules import InvalidSchedule, Schedule
from slipway_crds.workflows.triggers import Trigger
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.workflows.engine import InvalidInput, UnknownWorkflow, WorkflowEngine
from slipway_runtime.workflows.expressions import ExpressionFailed, fill
from slipway_runtime.workflows.triggers.starting import run_for

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
NEVER = datetime.max.replace(tzinfo=UTC)
Clock = Callable[[], datetime]
Scheduled = tuple[str, Trigger]
"""A workflow, `namespace/name`, and one of its triggers that has a schedule."""


@functools.lru_cache(maxsize=1024)
def _schedule(cron: str, zone: str) -> Schedule:
    return Schedule(cron, zone)


class ScheduledRuns:
    """Begins the runs of schedules.

    Args:
        triggers: those that there are now.
        clock: the time, in UTC.
    """

    def __init__(
        self,
        engine: WorkflowEngine,
        triggers: Callable[[], Iterable[Scheduled]],
        *,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._triggers = triggers
        self._clock = clock
        self._next: dict[tuple[str, str, Schedule], datetime] = {}
        """When each is due again, so that the store is asked only then."""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except StoreUnavailable:
                log.warning("schedules wait for the store")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Begin what is due. Raises StoreUnavailable."""
        for workflow, trigger in self._triggers():
            if trigger.schedule is not None:
                with suppress(InvalidSchedule):  # which the Workflow's conditions report
                    schedule = _schedule(trigger.schedule.cron, trigger.schedule.time_zone)
                    await self._look(workflow, trigger, schedule)

    async def _look(self, workflow: str, trigger: Trigger, schedule: Schedule) -> None:
        now, key = self._clock(), (workflow, trigger.name, schedule)
        if now < self._next.get(key, now):
            return
        since = await self._since(workflow, trigger.name, f"{schedule.expression} {schedule.zone}", now)
        time = schedule.due(since=since, now=now)
        if time is not None:
            await self._begin(workflow, trigger, time)
            await self._engine.database.execute(
                "UPDATE workflow_schedules SET made = $3 WHERE workflow = $1 AND name = $2 AND made < $3",
                workflow,
                trigger.name,
                time.timestamp(),
            )
        self._next[key] = schedule.after(time or since) or NEVER

    async def _since(self, workflow: str, name: str, schedule: str, now: datetime) -> datetime:
        """The time up to which runs were begun: now for a schedule that is new, or another one than before."""
        rows = await self._engine.database.fetch(
            "INSERT INTO workflow_schedules (workflow, name, schedule, made) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (workflow, name) DO UPDATE SET "
            "made = CASE WHEN workflow_schedules.schedule = excluded.schedule THEN workflow_schedules.made "
            "ELSE excluded.made END, schedule = excluded.schedule RETURNING made",
            workflow,
            name,
            schedule,
            now.timestamp(),
        )
        return datetime.fromtimestamp(float(rows[0]["made"] or 0), UTC)

    async def _begin(self, workflow: str, trigger: Trigger, time: datetime) -> None:
        when = time.isoformat()
        try:
            given = fill(trigger.input or {}, {"time": when})
            await self._engine.begin(run_for(workflow, trigger.name, given, by="schedule", key=when))
        except (UnknownWorkflow, InvalidInput, ExpressionFailed) as error:  # the same input would be refused again
            log.warning("the schedule %s of %s began no run: %s", trigger.name, workflow, error)


def following(triggers: Iterable[Trigger], now: datetime) -> datetime | None:
    """When the next run begins by a schedule; None if none does."""
    times = []
    for each in triggers:
        if each.schedule is not None:
            try:
                times.append(Schedule(each.schedule.cron, each.schedule.time_zone).after(now))
            except InvalidSchedule:
                continue
    return min((time for time in times if time is not None), default=None)
