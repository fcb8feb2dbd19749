"""Times at which the local driver reads the sources of indexes again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from slipway_crds.schedules import Schedule

Key = TypeVar("Key")


def _now() -> datetime:
    return datetime.now(UTC)


async def run_when_due(
    schedules: Mapping[Key, Schedule],
    run: Callable[[Key], Awaitable[None]],
    *,
    clock: Callable[[], datetime] = _now,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run what is due, one after the other, until there is nothing that will ever be due. What was missed meanwhile is
    run once."""
    looked = clock()
    while times := [time for schedule in schedules.values() if (time := schedule.after(looked)) is not None]:
        await sleep(max(0.0, (min(times) - clock()).total_seconds()))
        since, looked = looked, clock()
        for key, schedule in schedules.items():
            if schedule.due(since=since, now=looked) is not None:
                await run(key)
