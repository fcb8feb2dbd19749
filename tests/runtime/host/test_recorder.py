"""When events of a run are committed that nobody streams."""

import asyncio

import pytest

from slipway_runtime.events import Started
from slipway_runtime.host import recorder
from slipway_runtime.host.recorder import RunLog
from slipway_runtime.store.leases import Lease
from slipway_runtime.store.steps import StepRecord
from tests.support.waiting import DEADLINE


async def test_the_start_of_a_paid_step_waits_for_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "UNWATCHED_BATCH_SECONDS", 10 * DEADLINE)
    run_log = RunLog(Lease("a" * 32, 1, "host"), finished=lambda: None)
    started, step = Started(agent="demo/a"), StepRecord("answer", "started")
    run_log.put(started)
    taking = asyncio.create_task(run_log.take())
    await asyncio.sleep(0)
    run_log.put(step)
    async with asyncio.timeout(DEADLINE):
        assert await taking == [started, step]
