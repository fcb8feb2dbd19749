"""A session of many turns: what is loaded of it, and that its summary is paid once, whatever is killed."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from slipway_runtime.agents.memory import summarise
from slipway_runtime.agents.protocol import TURNS
from slipway_runtime.events import Done, Started, Usage
from slipway_runtime.host import runs
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.run import Run
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.sessions import SHOWN_TURNS, read_session, read_summary
from tests.support.dying_database import DyingDatabase
from tests.support.killing import driven, recorded
from tests.support.long_sessions import add_long_session
from tests.support.model_server import ModelServer, model_server
from tests.support.models import close_all, entry, make_models
from tests.support.scripts import AGENT, Script, Scripted, StartHost, answer, ask, begin, hosted

SESSION = "s" * 32
COMMITS = 7
"""More than the run has: a few of the last ones kill nobody."""


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await close_all()


def remembering(server: ModelServer) -> HostedAgent:
    """Answers with the number of turns that it knows, and the summary of those before."""
    models = make_models(entry(server))

    async def script(run: Run) -> Done:
        await summarise(run, models)
        known, before = run.request.turns, run.request.summary
        return Done(answer=f"{len(known)} after {before.turn}: {before.text}", finish="stop", sources=())

    return scripted(script)


def scripted(script: Script) -> HostedAgent:
    config = hosted(script, session_max_turns=20_000).config
    return HostedAgent(config, Scripted(script, frozenset((TURNS,))))


async def test_a_session_of_many_turns_pays_for_a_summary_now_and_then(start_host: StartHost) -> None:
    answers: list[str] = []
    with model_server(lambda _: f"notes {len(server.requests)}") as server:
        host = await start_host(remembering(server))
        session: str | None = None
        for _ in range(45):
            asked = ask(session_id=session)
            await begin(host, asked)
            events = await answer(host, asked)
            started, done = events[0].event, events[-1].event
            assert isinstance(started, Started)
            assert isinstance(done, Done)
            session = started.session_id
            answers.append(done.answer)
    assert len(server.requests) == 3
    assert answers[20:22] == ["20 after 0: ", "10 after 11: notes 1"]
    assert answers[44] == "11 after 33: notes 3"
    assert session is not None
    assert (await read_summary(host.database, session)).turn == 33


async def killed_at(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, *, at: int, after: bool
) -> tuple[bool, bool]:
    """Kill a host at a commit. Returns whether it was killed, and whether the summary was recorded by then."""
    with model_server(lambda _: f"notes {len(server.requests)}") as server:
        second = await start_host(remembering(server))
        await add_long_session(second.database, SESSION, turns=21)
        monkeypatch.setattr(runs, "LEASE_SECONDS", 0.2)
        store = DyingDatabase(await open_database(dsn), at=at, after=after)
        first = await start_host(remembering(server), alive=False, database=store)
        asked = ask(session_id=SESSION)
        client, dead = asyncio.create_task(driven(first, asked)), asyncio.create_task(store.dead.wait())
        await asyncio.wait({client, dead}, return_when=asyncio.FIRST_COMPLETED)
        monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
        steps = await recorded(second.database)
        paid = "summary" in steps and steps["summary"].finished
        events = await driven(second, asked)
        for task in (client, dead):
            task.cancel()
        store.buried.set()
    done, summary = events[-1].event, await read_summary(second.database, SESSION)
    assert isinstance(done, Done)
    assert done.answer == f"10 after 11: {summary.text}"
    assert len(server.requests) == 1 or not paid, "a summary that was recorded is paid again"
    used = [each.event for each in events if isinstance(each.event, Usage)]
    assert len(used) == 1
    return store.dead.is_set(), paid


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
async def test_a_host_dies_around_a_summary(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    killed = []
    for at in range(1, COMMITS + 1):
        killed.append(await killed_at(start_host, dsn, monkeypatch, at=at, after=after))
        database = await open_database(dsn)
        await database.execute("DELETE FROM sessions")
        await database.close()
    assert (True, True) in killed
    assert (True, False) in killed
    assert not killed[-1][0], "raise COMMITS: the run has more"


async def test_a_session_of_ten_thousand_turns_is_not_loaded_whole(start_host: StartHost) -> None:
    """Before there is a summary as well: it had been answered without models."""

    async def count(run: Run) -> Done:
        known = run.request.turns
        return Done(answer=f"{len(known)} from {known[0].number}", finish="stop", sources=())

    host = await start_host(scripted(count))
    await add_long_session(host.database, SESSION, turns=10_000, characters=1_000)
    asked = ask(session_id=SESSION)
    await begin(host, asked)
    tracemalloc.start()
    done = (await answer(host, asked))[-1].event
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(done, Done)
    assert done.answer == "50 from 9951"
    assert peak < 5_000_000, "ten thousand answers of a thousand characters are 10 MB"
    session = await read_session(host.database, SESSION, agent=AGENT, caller="alice")
    assert [turn.question for turn in session.turns][-2:] == ["Question 10000?", "Why?"]
    assert len(session.turns) == SHOWN_TURNS
