"""Runs by a schedule: once each, by however many workers, and what was missed once."""

from datetime import UTC, datetime

import pytest

from slipway_crds.workflows.triggers import Trigger
from slipway_runtime.workflows.triggers.schedules import ScheduledRuns, following
from tests.support.workflows import WORKFLOW, Engine, workflow

SPEC = """
steps: [{{name: nap, agentRef: {{name: clerk}}, ask: "${{input.at}}"}}]
triggers: [{{name: nightly, schedule: {{cron: "{cron}", timeZone: Europe/Berlin}}, input: {{at: "${{time}}"}}}}]
"""


class Clock:
    def __init__(self, text: str) -> None:
        self.now = datetime.min
        self.set(text)

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def worker(engine: Engine, clock: Clock) -> ScheduledRuns:
    """What a worker looks at. Several share a store."""
    definitions = engine.engine.definitions

    def scheduled() -> list[tuple[str, Trigger]]:
        return [(name, each) for name, definition in definitions.items() for each in definition.spec.triggers]

    return ScheduledRuns(engine.engine, scheduled, clock=clock)


async def begun(engine: Engine) -> list[str]:
    store = engine.engine.store
    runs = [await store.read(run.id) for run in await store.listed(WORKFLOW)]
    assert {(run.started_by, run.caller) for run in runs} <= {("schedule", "workflow|demo/test")}
    return sorted(str(run.input["at"]) for run in runs)


@pytest.mark.proves("Workflow.triggers[].schedule.*")
async def test_a_time_begins_one_run_and_missed_ones_one_more(engine: Engine) -> None:
    engine.define(workflow(SPEC.format(cron="0 6 * * *")))
    clock = Clock("2026-11-30T03:00")
    workers = [worker(engine, clock), worker(engine, clock)]
    for each in workers:
        await each.look()
    assert await begun(engine) == [], "nothing before the first look is made up for"
    clock.set("2026-11-30T05:00")  # 06:00 in Berlin
    for each in (*workers, worker(engine, clock)):
        await each.look()
    first = ["2026-11-30T05:00:00+00:00"]
    assert await begun(engine) == first
    clock.set("2026-12-24T12:00")
    for each in (*workers, worker(engine, clock)):
        await each.look()
    assert await begun(engine) == [*first, "2026-12-24T05:00:00+00:00"], "of those that were missed, the newest"


async def test_another_schedule_makes_up_for_nothing(engine: Engine) -> None:
    engine.define(workflow(SPEC.format(cron="0 6 * * *")))
    clock = Clock("2026-11-30T03:00")
    await worker(engine, clock).look()
    clock.set("2026-11-30T04:00")
    engine.define(workflow(SPEC.format(cron="30 4 * * *")))  # 03:30 of UTC, which was before
    await worker(engine, clock).look()
    assert await begun(engine) == []


def test_the_next_time() -> None:
    definition = workflow(SPEC.format(cron="0 6 * * *"))
    now = Clock("2026-11-30T05:00")()
    assert following(definition.spec.triggers, now) == datetime(2026, 12, 1, 5, tzinfo=UTC)
    assert following((), now) is None
