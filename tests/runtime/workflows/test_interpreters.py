"""What keeps workers of an earlier interpreter: segments that only they may end."""

import asyncio
from pathlib import Path

import pytest

from slipway_runtime.workflows import dbos_queue
from slipway_runtime.workflows.dbos_queue import QueueSettings, SegmentQueue
from tests.support.waiting import until_async


async def test_segments_of_an_earlier_interpreter_are_counted_until_they_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def work(_: str, __: int) -> None:
        begun.set()
        await end.wait()

    queue = SegmentQueue(QueueSettings(url=f"sqlite:///{tmp_path}/queue.db", executor="one"))
    await queue.open(work)
    try:
        await queue.put("a" * 32, 1, workflow="demo/report")
        await asyncio.wait_for(begun.wait(), 30)
        assert await queue.earlier() == {}
        monkeypatch.setattr(dbos_queue, "VERSION", str(int(dbos_queue.VERSION) + 1))
        assert await queue.earlier() == {"1": 1}
        end.set()

        async def over() -> bool:
            return not await queue.earlier()

        await until_async(over, "the segment has ended")
    finally:
        end.set()
        await queue.close(seconds=5)
