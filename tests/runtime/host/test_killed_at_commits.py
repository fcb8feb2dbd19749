"""An agent streams, waits for input and streams on; its host dies at every commit in turn, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from slipway_runtime.agents.protocol import AgentRequest
from slipway_runtime.events import Delta, Done, Event, NumberedEvent, ends
from slipway_runtime.host import runs
from slipway_runtime.host.interventions import Giving, give
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.runs import NewRun
from slipway_runtime.protocols.transcript import Transcript
from slipway_runtime.store.opening import open_database
from tests.support.dying_database import DyingDatabase
from tests.support.scripts import AGENT, StartHost, ask, begin, hosted

COMMITS = 12
"""More than the run has: the last ones kill nobody."""


async def asking(request: AgentRequest) -> AsyncIterator[Event]:
    yield Delta(text="a")
    await asyncio.sleep(0)
    said = "yes" if request.ask("go", "approval").approved else "no"
    yield Delta(text="b")
    await asyncio.sleep(0)
    yield Delta(text=said)
    yield Done(answer=f"ab{said}", finish="stop", sources=())


async def driven(host: Host, asked: NewRun) -> list[NumberedEvent]:
    """Ask, give what is asked for, and follow to the end, as one client with one request each."""
    await begin(host, asked)
    seen: list[NumberedEvent] = []
    async for event in host.runs.follow(asked.run_id, agent=AGENT, caller="alice"):
        seen.append(event)
        if event.event.type == "input_required":
            giving = Giving(asked.run_id, "go", "alice", (), approved=True, answer=None, request="1")
            await give(host.runs, host.database, host.runs.agents[AGENT], giving)
    return seen


async def killed_at(start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, *, at: int, after: bool) -> bool:
    """Kill the first host at a commit, and see that the second one ends the run. Returns whether it was killed."""
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.3)
    store = DyingDatabase(await open_database(dsn), at=at, after=after)
    first, second = await start_host(hosted(asking), alive=False, database=store), await start_host(hosted(asking))
    asked = ask()
    client, dead = asyncio.create_task(driven(first, asked)), asyncio.create_task(store.dead.wait())
    await asyncio.wait({client, dead}, return_when=asyncio.FIRST_COMPLETED)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
    whole = await driven(second, asked)
    for task in (client, dead):
        task.cancel()
    store.buried.set()
    assert [ends(each.event) for each in whole] == [False] * (len(whole) - 1) + [True]
    assert len({each.id for each in whole}) == len(whole)
    assert sorted(whole, key=lambda each: each.id[1:]) == whole
    assert [each.event.type for each in whole].count("input_given") == 1
    gathered = Transcript()
    for each in whole:
        gathered.add(each.event)
    assert whole[-1].event == Done(answer="abyes", finish="stop", sources=())
    assert gathered.text == "abyes", "what was void is announced"
    return store.dead.is_set()


@pytest.mark.parametrize(("at", "after"), [(1, True), (3, False), (4, True)])
async def test_a_host_dies_at_a_commit(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    assert await killed_at(start_host, dsn, monkeypatch, at=at, after=after)


@pytest.mark.deep
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
async def test_a_host_dies_at_every_commit(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    killed = [await killed_at(start_host, dsn, monkeypatch, at=at, after=after) for at in range(1, COMMITS + 1)]
    assert killed[:4] == [True] * 4
    assert not killed[-1], "raise COMMITS: the run has more"
