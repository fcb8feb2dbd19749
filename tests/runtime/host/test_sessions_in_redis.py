"""A host whose agent has its sessions in a Redis: they go on, and an outage is one of the store."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from slipway_crds.runtimeconfig import AgentBindings, RedisBinding
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.agents.protocol import TURNS
from slipway_runtime.events import Done, Started
from slipway_runtime.host import lifecycle, readiness
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.making import close_hosted, hosted_agent
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Run
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.leases import Work
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.redis_sessions import RedisSessions
from slipway_runtime.store.runs import Question
from slipway_runtime.store.sessions import Summary
from tests.support.redis_server import RedisServer
from tests.support.scripts import AGENT, Scripted, StartHost, answer, ask, at_once, begin, hosted, types
from tests.support.waiting import until, until_async

CONFIG = hosted(None).config.model_copy(update={"architecture": "orchestrator"})

MakeAgent = Callable[[str], Awaitable[HostedAgent]]


@contextmanager
def redis_in(folder: Path) -> Iterator[RedisServer]:
    """One that a test may stop, which asks for the password."""
    folder.mkdir()
    made = RedisServer(folder, password="secret")
    made.start()
    yield made
    made.stop(kill=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_in(tmp_path / "redis") as made:
        yield made


@pytest.fixture
def neighbour_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Of another agent."""
    with redis_in(tmp_path / "neighbour") as made:
        yield made


@pytest.fixture
async def with_sessions_at(dsn: str, stack: AsyncExitStack, tmp_path: Path) -> MakeAgent:
    """Make an agent of the configuration whose sessions are in the Redis with this URL."""
    (tmp_path / "password").write_text("secret")
    database = await open_database(dsn)
    stack.push_async_callback(database.close)
    bindings = AgentBindings(session_redis=RedisBinding(password_file=str(tmp_path / "password")))
    dependencies = AgentDependencies(
        database=database, embedder=cast(Any, None), vectors=cast(Any, None), bindings=lambda _: bindings
    )

    async def make(url: str) -> HostedAgent:
        made = hosted_agent(CONFIG.model_copy(update={"session_redis": url}), dependencies)
        stack.push_async_callback(close_hosted, made)
        return made

    return make


@pytest.fixture
async def remembering(with_sessions_at: MakeAgent, server: RedisServer) -> HostedAgent:
    """Says how many turns it knows."""
    made = await with_sessions_at(server.url)

    async def count(run: Run) -> Done:
        return Done(answer=f"{len(run.request.turns)}", finish="stop", sources=())

    return replace(made, agent=Scripted(count, frozenset((TURNS,))))


@pytest.mark.proves("Agent.sessions.redis.url")
async def test_a_conversation_goes_on_after_an_outage(
    start_host: StartHost, remembering: HostedAgent, server: RedisServer
) -> None:
    host = await start_host(remembering)
    first = ask()
    await begin(host, first)
    events = await answer(host, first)
    started = events[0].event
    assert isinstance(started, Started)
    (row,) = await host.database.fetch("SELECT summary, kept FROM sessions")
    assert (row["summary"], str(row["kept"]).partition(":")[0]) == ("", "redis")
    server.stop()
    with pytest.raises(Problem) as refused:
        await begin(host, ask(session_id=started.session_id))
    assert refused.value.reason == Reason.STORE_UNAVAILABLE
    assert refused.value.retry_after
    assert host.runs.heartbeat.may_take_over(), "leases are in the store, which answered"
    (missing,) = await host.readiness.missing()
    assert missing.startswith("the sessions: Redis cannot be used")
    server.start()
    second = ask(session_id=started.session_id)
    await begin(host, second)
    done = (await answer(host, second))[-1].event
    assert isinstance(done, Done)
    assert done.answer == "1"


async def test_a_turn_waits_for_a_redis_that_has_its_summary(
    start_host: StartHost, remembering: HostedAgent, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await start_host(remembering)
    first = ask()
    await begin(host, first)
    started = (await answer(host, first))[0].event
    assert isinstance(started, Started)
    sessions = remembering.sessions
    assert isinstance(sessions, RedisSessions)
    store, read = sessions.begin, sessions.read_summary
    failed: list[StoreUnavailable] = []

    async def stop_when_stored(question: Question, *, owner: str, lease: float) -> Work:
        work = await store(question, owner=owner, lease=lease)
        server.stop()
        return work

    async def note_failures(session_id: str) -> Summary:
        try:
            return await read(session_id)
        except StoreUnavailable as error:
            failed.append(error)
            raise

    monkeypatch.setattr(sessions, "begin", stop_when_stored)
    monkeypatch.setattr(sessions, "read_summary", note_failures)
    second = ask(session_id=started.session_id)
    await begin(host, second)
    await until(lambda: bool(failed), "the summary was looked for")
    server.start()
    done = (await answer(host, second))[-1].event
    assert isinstance(done, Done)
    assert done.answer == "1"


async def test_a_run_waits_for_an_input_without_redis(
    start_host: StartHost, remembering: HostedAgent, server: RedisServer, database: Database
) -> None:
    async def approved(run: Run) -> Done:
        server.stop()
        given = await run.ask("go", "approval", prompt="Go on?")
        return Done(answer=f"{given.approved}", finish="stop", sources=())

    host = await start_host(replace(remembering, agent=Scripted(approved)))
    asked = ask()
    await begin(host, asked)
    follow = host.runs.follow(asked.run_id, agent=AGENT, caller=asked.caller, watch=False)
    assert types([event async for event in follow])[-1] == "input_required"
    (row,) = await database.fetch("SELECT wake_at, outcome FROM runs")
    assert row["wake_at"]
    assert row["outcome"] is None


async def test_what_has_expired_is_deleted_though_one_redis_is_unavailable(
    start_host: StartHost,
    remembering: HostedAgent,
    with_sessions_at: MakeAgent,
    server: RedisServer,
    neighbour_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    neighbour = replace(await with_sessions_at(neighbour_server.url), agent=Scripted(at_once))
    host = await start_host(remembering, alive=False)
    left = ask()
    for serving, asked in ((remembering, left), (neighbour, ask()), (neighbour, ask(keeps_session=False))):
        host.serve([serving])
        await begin(host, asked)
        await answer(host, asked)
    assert neighbour.sessions is not None
    for row in await host.database.fetch("SELECT id FROM sessions"):
        await neighbour.sessions.keep(str(row["id"]), until=1.0)
    await host.database.execute("UPDATE sessions SET expires = now_epoch() - 1")
    await host.database.execute("UPDATE runs SET expires = now_epoch() - 1")
    server.stop()
    host.runs.agents = {"demo/broken": remembering, **host.runs.agents}
    monkeypatch.setattr(lifecycle, "EXPIRE_EVERY_SECONDS", 0.05)

    async def gone() -> bool:
        return [row["id"] for row in await host.database.fetch("SELECT id FROM runs")] == [left.run_id]

    async with host.running():
        await until_async(gone, "all is deleted but what the unavailable Redis may still have")
    assert host.runs.heartbeat.may_take_over(), "leases are in the store, which answered"


async def test_a_redis_that_hangs_is_named(
    start_host: StartHost, remembering: HostedAgent, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await start_host(remembering)
    assert await host.readiness.missing() == []
    server.pause()
    monkeypatch.setattr(readiness, "KEEP_SECONDS", 0.0)
    (missing,) = await host.readiness.missing()
    assert missing == "the sessions: Redis cannot be used: TimeoutError: no answer in time"


async def test_an_agent_without_a_redis_has_its_sessions_in_the_store(remembering: HostedAgent) -> None:
    assert isinstance(remembering.sessions, RedisSessions)
    assert hosted(None).sessions is None
