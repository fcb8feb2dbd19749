"""Times at which the local driver reads sources again."""

from datetime import UTC, datetime, timedelta

import pytest

from slipway_crds.schedules import Schedule
from slipway_runtime.dev.schedules import run_when_due


class Over(Exception):
    """The end of the test."""


async def test_what_is_due_runs_and_what_was_missed_meanwhile_runs_once() -> None:
    now = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
    ran: list[tuple[str, str]] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += timedelta(seconds=seconds)

    async def run(key: str) -> None:
        nonlocal now
        ran.append((key, f"{now:%H:%M}"))
        if len(ran) == 5:
            raise Over
        if key == "daily":
            now += timedelta(hours=3)

    schedules = {"hourly": Schedule("0 * * * *"), "daily": Schedule("30 11 * * *")}
    with pytest.raises(Over):
        await run_when_due(schedules, run, clock=lambda: now, sleep=sleep)
    hours = [("hourly", "11:00"), ("daily", "11:30"), ("hourly", "14:30"), ("hourly", "15:00"), ("hourly", "16:00")]
    assert ran == hours


async def test_without_a_schedule_there_is_nothing_to_wait_for() -> None:
    await run_when_due({}, lambda key: pytest.fail(f"{key} ran"))
