"""What a Redis that is killed loses: printed, and bounded by what `appendfsync everysec` promises."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.redis_sessions import RedisSessions, open_redis
from slipway_runtime.store.sessions import Summary
from tests.support.questions import ASK
from tests.support.redis_server import RedisServer

KILLS = 20
WRITERS = 8
WINDOW_SECONDS = 2.0
"""Redis flushes every second, and waits a second longer for a flush that is under way."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    made = RedisServer(tmp_path)
    yield made
    made.stop(kill=True)


async def write(sessions: RedisSessions, name: str, acknowledged: dict[str, float]) -> None:
    """Make sessions until Redis is gone, noting when it had taken each."""
    number = 0
    while True:
        number += 1
        session = f"{name}-{number}"
        try:
            await sessions.enter(replace(ASK, session_id=session), session)
            await sessions.save_summary(session, Summary("So far.", 1))
        except StoreUnavailable:
            return
        acknowledged[session] = time.monotonic()


@pytest.mark.deep
async def test_what_a_killed_redis_loses(
    server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/store.db")
    written = lost = 0
    oldest = 0.0
    for number in range(KILLS):
        server.start()
        sessions = RedisSessions(database, open_redis(server.url), agent=ASK.agent)
        acknowledged: dict[str, float] = {}
        writers = [asyncio.create_task(write(sessions, f"{number}-{each}", acknowledged)) for each in range(WRITERS)]
        await asyncio.sleep(random.uniform(0.2, 3.0))
        server.stop(kill=True)
        killed = time.monotonic()
        await asyncio.gather(*writers)
        server.start()
        written += len(acknowledged)
        for session, moment in acknowledged.items():
            if (await sessions.read_summary(session)).turn != 1:
                lost += 1
                oldest = max(oldest, killed - moment)
        await sessions.close()
        server.stop()
    await database.close()
    with capsys.disabled():
        sys.stdout.write(f"\n{KILLS} kills: {lost} of {written} sessions lost, written up to {oldest:.3f} s before\n")
    assert written > KILLS
    assert oldest <= WINDOW_SECONDS
