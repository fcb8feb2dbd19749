"""What a host does in the background."""

import pytest

from slipway_runtime.host import lifecycle, runs
from slipway_runtime.store.database import Database
from slipway_runtime.store.looks import look
from tests.support.scripts import AGENT, Gated, StartHost, ask, at_once, gather, hosted
from tests.support.waiting import until_async


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chores are due all the time."""
    for interval in ("ORPHAN_EVERY_SECONDS", "ORPHAN_AFTER_SECONDS", "EXPIRE_EVERY_SECONDS"):
        monkeypatch.setattr(lifecycle, interval, 0.05)


async def test_expired_sessions_are_deleted(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(at_once))
    for _ in range(3):
        asked = ask()
        await host.runs.begin(host.runs.agents[AGENT], asked)
        await gather(host.runs.follow(asked.run_id, agent=AGENT, caller="alice"))
    await database.execute("UPDATE sessions SET expires = 0 WHERE id <> (SELECT max(id) FROM sessions)")

    async def gone() -> bool:
        (row,) = await database.fetch("SELECT count(*) AS n FROM sessions")
        return row["n"] == 1

    await until_async(gone, "the expired sessions are deleted, and no other")
    (row,) = await database.fetch("SELECT count(*) AS n FROM runs")
    assert row["n"] == 1


async def test_orphans_are_answered(start_host: StartHost, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.1)
    dead = await start_host(hosted(Gated()), alive=False)
    asked = ask()
    await dead.runs.begin(dead.runs.agents[AGENT], asked)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
    await start_host(hosted(at_once))

    async def answered() -> bool:
        seen = await look(database, asked.run_id, agent=AGENT, caller="alice", after=None)
        return seen is not None and seen.outcome == "done"

    await until_async(answered, "a host that lives answers it, though nobody asks again")
