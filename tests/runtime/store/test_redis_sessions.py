"""A Redis that is unavailable, asks for a password or a certificate, or loses what it had."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime import addresses
from slipway_runtime.events import Done
from slipway_runtime.store import runs
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.leases import Work
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.redis_sessions import ANSWER_SECONDS, CONNECTIONS, RedisSessions, open_redis
from slipway_runtime.store.runs import append
from slipway_runtime.store.session_stores import StoredSessions
from slipway_runtime.store.sessions import LEFT_SECONDS, SessionNotFound, Summary
from tests.support.questions import ASK
from tests.support.redis_server import RedisServer, tls_front

OWN = {"agent": "demo/support", "caller": "alice"}
DONE = Done(answer="So.", finish="stop", sources=())
NEXT = replace(ASK, run_id="b" * 32, new_session=False)


@pytest.fixture
async def store(sqlite_dsn: str) -> AsyncIterator[Database]:
    database = await open_database(sqlite_dsn)
    yield database
    await database.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One that a test may stop, which asks for a password."""
    folder = tmp_path / "redis"
    folder.mkdir()
    made = RedisServer(folder, password="first")
    made.start()
    yield made
    made.stop(kill=True)


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("first\n")
    return file


def write(file: Path, text: str) -> None:
    file.write_text(text)


@pytest.fixture
async def sessions(store: Database, server: RedisServer, password: Path) -> AsyncIterator[RedisSessions]:
    made = RedisSessions(store, open_redis(server.url, password_file=password), agent=ASK.agent)
    yield made
    await made.close()


async def test_sessions_recover_when_redis_is_back(
    store: Database, server: RedisServer, sessions: RedisSessions
) -> None:
    work = await sessions.begin(ASK, owner="h", lease=5.0)
    await append(store, work.lease, 1, [DONE])
    await sessions.save_summary("s1", Summary("So far.", 1))
    server.stop()
    for refused in (
        sessions.begin(NEXT, owner="h", lease=5.0),
        sessions.read("s1", **OWN),
        sessions.delete("s1", **OWN),
        sessions.read_summary("s1"),
    ):
        with pytest.raises(StoreUnavailable, match="Redis cannot be used: ConnectionError"):
            await refused
    (missing,) = await sessions.missing()
    assert missing.startswith("the sessions: Redis cannot be used")
    server.start()
    assert await sessions.missing() == []
    assert await sessions.read_summary("s1") == Summary("So far.", 1)
    assert (await sessions.begin(NEXT, owner="h", lease=5.0)).turn == 2


async def test_more_commands_than_connections_wait_for_one_another(sessions: RedisSessions) -> None:
    await sessions.begin(ASK, owner="h", lease=5.0)
    await sessions.save_summary("s1", Summary("So far.", 1))
    read = await asyncio.gather(*(sessions.read_summary("s1") for _ in range(3 * CONNECTIONS)))
    assert set(read) == {Summary("So far.", 1)}


async def test_a_question_that_is_stored_is_answered_without_redis(
    store: Database, server: RedisServer, sessions: RedisSessions
) -> None:
    work = await sessions.begin(ASK, owner="h", lease=5.0)
    server.stop()
    await append(store, work.lease, 1, [DONE])
    (row,) = await store.fetch("SELECT outcome FROM runs")
    assert row["outcome"] == "done"


async def test_a_stored_question_does_not_wait_for_a_redis_that_hangs(
    server: RedisServer, sessions: RedisSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = runs.begin

    async def hang_when_stored(*args: Any, **kwargs: Any) -> Work:
        work = await store(*args, **kwargs)
        server.pause()
        return work

    monkeypatch.setattr(runs, "begin", hang_when_stored)
    async with asyncio.timeout(ANSWER_SECONDS):  # within a lease, which the host does not renew before
        assert (await sessions.begin(ASK, owner="h", lease=5.0)).turn == 1


async def test_a_password_is_read_again_and_a_refused_one_is_named(
    server: RedisServer, sessions: RedisSessions, password: Path
) -> None:
    await sessions.begin(ASK, owner="h", lease=5.0)
    server.stop()
    server.password = "second"
    server.start()
    with pytest.raises(StoreUnavailable, match=r"Redis cannot be used: .*(WRONGPASS|invalid)"):
        await sessions.read("s1", **OWN)
    write(password, "second")
    assert (await sessions.read("s1", **OWN)).id == "s1"
    write(password, "")
    await sessions.close()
    with pytest.raises(StoreUnavailable, match="has no password"):
        await sessions.read("s1", **OWN)


async def test_a_user_of_the_url_signs_in(store: Database, server: RedisServer, password: Path) -> None:
    admin = open_redis(server.url, password_file=password)
    categories = ["+@all", "-@dangerous"]
    await admin.acl_setuser("demo", enabled=True, passwords=["+own"], keys=["slipway:demo/*"], categories=categories)
    await admin.aclose()
    write(password, "own")
    redis = open_redis(server.url.replace("redis://", "redis://demo@"), password_file=password)
    own = RedisSessions(store, redis, agent=ASK.agent)
    await own.begin(ASK, owner="h", lease=5.0)
    assert (await own.read("s1", **OWN)).id == "s1"
    other = RedisSessions(store, redis, agent="other/support")
    with pytest.raises(StoreUnavailable, match="NoPermissionError"):
        await other.read_summary("s1")
    await redis.aclose()


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_a_name_that_leads_to_a_metadata_service_is_not_connected_to(
    scheme: str, store: Database, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "is_forbidden", lambda address: address.is_loopback)
    connected: list[asyncio.StreamWriter] = []
    front = await asyncio.start_server(lambda _, writer: connected.append(writer), "127.0.0.1", 0)
    url = f"{scheme}://localhost:{front.sockets[0].getsockname()[1]}/0"
    guarded = RedisSessions(store, open_redis(url, password_file=password), agent=ASK.agent)
    (missing,) = await guarded.missing()
    assert "localhost leads to" in missing
    assert connected == []
    await guarded.close()
    front.close()


async def test_a_certificate_is_checked(store: Database, server: RedisServer, password: Path, tmp_path: Path) -> None:
    async with tls_front(server, tmp_path) as (url, authority):
        trusting = RedisSessions(store, open_redis(url, password_file=password, ca_file=authority), agent=ASK.agent)
        await trusting.begin(ASK, owner="h", lease=5.0)
        assert (await trusting.read("s1", **OWN)).id == "s1"
        await trusting.close()
        doubting = RedisSessions(store, open_redis(url, password_file=password), agent=ASK.agent)
        with pytest.raises(StoreUnavailable, match="certificate"):
            await doubting.read("s1", **OWN)
        await doubting.close()


async def test_a_session_that_redis_lost_is_over_and_its_runs_go_in_time(
    store: Database, server: RedisServer, sessions: RedisSessions, password: Path
) -> None:
    work = await sessions.begin(replace(ASK, session_ttl=0.2), owner="h", lease=0.1)
    await append(store, work.lease, 1, [DONE])
    other = replace(ASK, run_id="c" * 32, session_id="s2", session_ttl=0.2)
    kept = await sessions.begin(other, owner="h", lease=0.1)
    await append(store, kept.lease, 1, [DONE])
    await sessions.keep("s2", until=4e9)
    redis = open_redis(server.url, password_file=password)
    await redis.delete("slipway:demo/support:s1")
    await redis.aclose()
    with pytest.raises(SessionNotFound):
        await sessions.begin(NEXT, owner="h", lease=5.0)
    await asyncio.sleep(0.25)  # until the store's rows are due
    assert await StoredSessions(store).delete_expired(limit=5) == 0, "an agent that keeps them in Redis looks first"
    assert await sessions.delete_expired(limit=5) == 1
    rows = await store.fetch("SELECT session_id FROM runs")
    assert [row["session_id"] for row in rows] == ["s2"]
    assert await sessions.delete_expired(limit=5) == 0


async def test_a_redis_says_nothing_about_sessions_in_another(
    store: Database, server: RedisServer, sessions: RedisSessions, password: Path
) -> None:
    work = await sessions.begin(ASK, owner="h", lease=0.0)
    await append(store, work.lease, 1, [DONE])
    await store.execute("UPDATE sessions SET expires = now_epoch() - 1")
    url = server.url.removesuffix("0") + "1"
    candidate = RedisSessions(store, open_redis(url, password_file=password), agent=ASK.agent)
    assert await candidate.delete_expired(limit=5) == 0
    with pytest.raises(SessionNotFound):
        await candidate.begin(NEXT, owner="h", lease=5.0)
    await candidate.close()
    assert (await sessions.begin(NEXT, owner="h", lease=5.0)).turn == 2


async def test_what_no_agent_looks_after_goes_in_the_end(store: Database, sessions: RedisSessions) -> None:
    work = await sessions.begin(ASK, owner="h", lease=0.0)
    await append(store, work.lease, 1, [DONE])
    await store.execute("UPDATE sessions SET expires = now_epoch() - $1", LEFT_SECONDS - 60)
    assert await StoredSessions(store).delete_expired(limit=5) == 0
    await store.execute("UPDATE sessions SET expires = now_epoch() - $1", LEFT_SECONDS + 60)
    assert await StoredSessions(store).delete_expired(limit=5) == 1


async def test_sessions_of_the_store_are_none_of_redis_and_the_other_way_round(
    store: Database, sessions: RedisSessions
) -> None:
    await StoredSessions(store).begin(ASK, owner="h", lease=5.0)
    with pytest.raises(SessionNotFound):
        await sessions.read("s1", **OWN)
    await sessions.begin(replace(NEXT, session_id="s2", new_session=True), owner="h", lease=5.0)
    for refused in (StoredSessions(store).read("s2", **OWN), StoredSessions(store).delete("s2", **OWN)):
        with pytest.raises(SessionNotFound):
            await refused
