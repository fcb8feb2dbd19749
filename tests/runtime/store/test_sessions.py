"""Sessions: whose they are, how many turns they take, and when they go.

One suite for each place where they can be kept, on the real servers: SQLite, Postgres, and Redis.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import cast

import pytest

from slipway_runtime.events import Done, InputRequired
from slipway_runtime.store import named_sessions
from slipway_runtime.store.database import Database, Row, Value
from slipway_runtime.store.leases import LeaseLost
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.redis_sessions import RedisSessions, open_redis
from slipway_runtime.store.runs import OtherQuestion, RunExists, append
from slipway_runtime.store.session_stores import SessionStore, StoredSessions
from slipway_runtime.store.sessions import (
    OtherRevision,
    SessionBusy,
    SessionFull,
    SessionNotFound,
    Summary,
    delete_expired_runs,
    finished_turns,
    take_turn,
)
from tests.support.long_sessions import add_long_session
from tests.support.questions import ASK, question

ASK_IN_SESSION = replace(ASK, run_id="d" * 32, session_ttl=-1.0)
OWN = {"agent": "demo/support", "caller": "alice"}
DONE = Done(answer="So.", finish="stop", sources=())


ASKED = InputRequired(step="input/a", id="a", kind="approval", answerers=("caller",), expires=time.time() + 3600)


@dataclass(frozen=True)
class Place:
    """Where sessions are kept, and the store that their runs are in."""

    sessions: SessionStore
    database: Database


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def servers(request: pytest.FixtureRequest) -> tuple[str, str | None]:
    """DSN of a store, and the URL of a Redis if that has the sessions."""
    in_postgres, in_redis = (request.param == each for each in ("postgres", "redis"))
    dsn = request.getfixturevalue("store_dsn" if in_postgres else "sqlite_dsn")
    return dsn, request.getfixturevalue("redis_server").url if in_redis else None


@pytest.fixture
async def place(servers: tuple[str, str | None]) -> AsyncIterator[Place]:
    dsn, redis_url = servers
    database = await open_database(dsn)
    sessions: SessionStore = StoredSessions(database)
    if redis_url is not None:
        redis = open_redis(redis_url)
        await redis.flushall()
        sessions = RedisSessions(database, redis, agent=ASK.agent)
    yield Place(sessions, database)
    await sessions.close()
    await database.close()


async def count(database: Database, table: str) -> object:
    (row,) = await database.fetch(f"SELECT count(*) AS n FROM {table}")
    return row["n"]


async def test_a_session_has_its_turns_oldest_first(place: Place) -> None:
    first = await place.sessions.begin(ASK, owner="h", lease=5.0)
    await append(place.database, first.lease, 1, [DONE])
    await place.sessions.begin(
        replace(ASK, run_id="b" * 32, ask=question("And?"), new_session=False), owner="h", lease=5.0
    )
    session = await place.sessions.read("s1", **OWN)
    assert [(turn.question, turn.outcome) for turn in session.turns] == [("How?", "done"), ("And?", None)]
    assert session.turns[0].result == DONE.to_json()
    assert session.turns[1].result is None
    assert session.created <= session.turns[0].created <= session.expires


@pytest.mark.parametrize("stranger", [{"caller": "bob"}, {"agent": "other/support"}], ids=["caller", "agent"])
async def test_to_others_it_does_not_exist(place: Place, stranger: dict[str, str]) -> None:
    await place.sessions.begin(ASK, owner="h", lease=5.0)
    with pytest.raises(SessionNotFound):
        await place.sessions.read("s1", **{**OWN, **stranger})
    with pytest.raises(SessionNotFound):
        await place.sessions.delete("s1", **{**OWN, **stranger})
    assert (await place.sessions.read("s1", **OWN)).id == "s1"


async def test_deleting_takes_runs_and_events_along_and_stops_the_run(place: Place) -> None:
    work = await place.sessions.begin(ASK, owner="h", lease=5.0)
    await append(place.database, work.lease, 1, [DONE.model_copy()])
    running = await place.sessions.begin(replace(ASK, run_id="b" * 32, new_session=False), owner="h", lease=5.0)
    await place.sessions.delete("s1", **OWN)
    assert [await count(place.database, table) for table in ("sessions", "runs", "events")] == [0, 0, 0]
    with pytest.raises(LeaseLost):
        await append(place.database, running.lease, 1, [DONE])
    with pytest.raises(SessionNotFound):
        await place.sessions.delete("s1", **OWN)


async def test_expired_sessions_go_in_batches_but_not_under_a_run(place: Place) -> None:
    for number in range(5):
        ask = replace(ASK, run_id=f"{number:032x}", session_id=f"old{number}", session_ttl=-1.0)
        work = await place.sessions.begin(ask, owner="h", lease=30.0)
        if number:
            await append(place.database, work.lease, 1, [DONE])
    await place.sessions.begin(ASK, owner="h", lease=5.0)
    assert [await place.sessions.delete_expired(limit=3) for _ in range(3)] == [3, 1, 0]
    rows = await place.database.fetch("SELECT id FROM sessions ORDER BY id")
    assert [row["id"] for row in rows] == ["old0", "s1"]


async def test_a_session_stays_with_its_revision_until_that_is_gone(place: Place) -> None:
    work = await place.sessions.begin(ASK, owner="h", lease=5.0)
    await append(place.database, work.lease, 1, [DONE])
    newer = replace(ASK, run_id="b" * 32, new_session=False, revision="r2", retiring=frozenset({"r0", "r1"}))
    with pytest.raises(OtherRevision) as refused:
        await place.sessions.begin(newer, owner="h", lease=5.0)
    assert refused.value.revision == "r1"
    assert len((await place.sessions.read("s1", **OWN)).turns) == 1, "nothing was counted"
    work = await place.sessions.begin(replace(newer, retiring=frozenset({"r0"})), owner="h", lease=5.0)
    assert work.turn == 2
    await append(place.database, work.lease, 1, [DONE])
    own = replace(newer, run_id="c" * 32, retiring=frozenset({"r1", "r2"}))
    assert (await place.sessions.begin(own, owner="h", lease=5.0)).turn == 3, "it belongs to r2 now"


async def test_an_expired_session_takes_no_more_turns(place: Place) -> None:
    await place.sessions.begin(replace(ASK, session_ttl=-1.0), owner="h", lease=5.0)
    with pytest.raises(SessionNotFound):
        await place.sessions.read("s1", **OWN)
    with pytest.raises(SessionNotFound):
        await place.sessions.begin(replace(ASK, run_id="b" * 32, new_session=False), owner="h", lease=5.0)


async def test_a_run_without_a_session_expires_by_itself(place: Place) -> None:
    alone = replace(ASK, session_id=None, new_session=False)
    finished = await place.sessions.begin(replace(alone, session_ttl=-1.0), owner="h", lease=5.0)
    await append(place.database, finished.lease, 1, [DONE])
    await place.sessions.begin(replace(alone, run_id="b" * 32, session_ttl=-1.0), owner="h", lease=5.0)
    kept = await place.sessions.begin(replace(alone, run_id="c" * 32), owner="h", lease=5.0)
    await append(place.database, kept.lease, 1, [DONE])
    await place.sessions.begin(ASK_IN_SESSION, owner="h", lease=5.0)
    assert [await delete_expired_runs(place.database, limit=5) for _ in range(2)] == [1, 0]
    rows = await place.database.fetch("SELECT id FROM runs ORDER BY id")
    assert [row["id"] for row in rows] == ["b" * 32, "c" * 32, "d" * 32]
    assert await count(place.database, "sessions") == 1


async def test_a_session_outlives_what_its_run_waits_for(place: Place) -> None:
    for number, session_id in enumerate((None, "s1")):
        ask = replace(ASK, run_id=f"{number:032x}", session_id=session_id, new_session=True, session_ttl=1.0)
        work = await place.sessions.begin(ask, owner="h", lease=-1.0)
        if session_id:
            await place.sessions.keep(session_id, until=ASKED.expires)
        await append(place.database, work.lease, 1, [ASKED])
    assert (await place.sessions.delete_expired(limit=5), await delete_expired_runs(place.database, limit=5)) == (0, 0)
    session = await place.sessions.read("s1", **OWN)
    assert [(turn.outcome, turn.waits) for turn in session.turns] == [(None, True)]
    assert session.expires >= ASKED.expires - 1


async def test_a_summary_is_not_replaced_by_one_of_fewer_turns(place: Place) -> None:
    await place.sessions.begin(ASK, owner="h", lease=5.0)
    assert await place.sessions.read_summary("s1") == Summary()
    for summary in (Summary("Two\0 turns.", 2), Summary("Five turns.", 5), Summary("Three turns.", 3)):
        await place.sessions.save_summary("s1", summary)
    assert await place.sessions.read_summary("s1") == Summary("Five turns.", 5)
    assert await place.sessions.read_summary("none") == Summary()


async def test_turns_are_read_from_behind_a_summary_and_newest_first(place: Place) -> None:
    await add_long_session(place.database, "s1", turns=30)
    turns = await finished_turns(place.database, "s1", after=20, before=29, limit=50)
    assert [turn.number for turn in turns] == list(range(21, 29))
    assert [turn.number for turn in await finished_turns(place.database, "s1", before=29, limit=2)] == [27, 28]
    assert (turns[0].question, turns[0].answer) == ("Question 21?", "Answer 21.")


async def test_of_two_writers_one_is_told_that_the_session_is_busy(place: Place) -> None:
    work = await place.sessions.begin(ASK, owner="h", lease=5.0)
    await append(place.database, work.lease, 1, [DONE])
    asks = [replace(ASK, run_id=letter * 32, new_session=False) for letter in "bcd"]
    came = await asyncio.gather(
        *(place.sessions.begin(ask, owner="h", lease=5.0) for ask in asks), return_exceptions=True
    )
    (won,) = [each for each in came if not isinstance(each, BaseException)]
    lost = [each for each in came if isinstance(each, SessionBusy)]
    assert [busy.run_id for busy in lost] == [won.lease.run_id] * 2
    await append(place.database, won.lease, 1, [DONE])
    again = await place.sessions.begin(replace(ASK, run_id="e" * 32, new_session=False), owner="h", lease=5.0)
    assert (won.turn, again.turn) == (2, 3), "a question that was refused is no turn"


async def test_a_session_takes_so_many_turns_and_no_more(place: Place) -> None:
    for number in range(1, ASK.max_turns + 1):
        ask = replace(ASK, run_id=f"{number:032x}", new_session=number == 1)
        work = await place.sessions.begin(ask, owner="h", lease=5.0)
        assert work.turn == number
        await append(place.database, work.lease, 1, [DONE])
    with pytest.raises(SessionFull):
        await place.sessions.begin(replace(ASK, run_id="f" * 32, new_session=False), owner="h", lease=5.0)
    with pytest.raises(RunExists):  # one that filled it, sent again
        await place.sessions.begin(
            replace(ASK, run_id=f"{ASK.max_turns:032x}", new_session=False), owner="h", lease=5.0
        )


async def test_a_question_that_is_sent_again_is_no_second_turn(place: Place) -> None:
    work = await place.sessions.begin(ASK, owner="h", lease=5.0)
    await append(place.database, work.lease, 1, [DONE])
    asked = replace(ASK, run_id="b" * 32, new_session=False)
    await place.sessions.begin(asked, owner="h", lease=5.0)
    with pytest.raises(RunExists):
        await place.sessions.begin(asked, owner="h", lease=5.0)
    with pytest.raises(OtherQuestion):
        await place.sessions.begin(replace(asked, ask=question("Where?")), owner="h", lease=5.0)
    assert len((await place.sessions.read("s1", **OWN)).turns) == 2


async def test_a_turn_keeps_its_session_for_another_while(place: Place) -> None:
    work = await place.sessions.begin(replace(ASK, session_ttl=60.0), owner="h", lease=5.0)
    await append(place.database, work.lease, 1, [DONE])
    before = await place.sessions.read("s1", **OWN)
    later = replace(ASK, run_id="b" * 32, new_session=False, session_ttl=600.0)
    await place.sessions.begin(later, owner="h", lease=5.0)
    assert 530 < (await place.sessions.read("s1", **OWN)).expires - before.expires < 550
    assert await place.sessions.missing() == []


NAMED = replace(ASK, ask=ASK.ask.model_copy(update={"begins_session": True}), new_session=False)


async def test_a_session_with_a_chosen_id_is_begun_once_and_gone_on_with(place: Place) -> None:
    work = await named_sessions.begin(place.sessions, NAMED, owner="h", lease=5.0)
    await append(place.database, work.lease, 1, [DONE])
    again = await named_sessions.begin(place.sessions, replace(NAMED, run_id="b" * 32), owner="h", lease=5.0)
    assert (work.turn, again.turn) == (1, 2)
    with pytest.raises(RunExists) as same:
        await named_sessions.begin(place.sessions, replace(NAMED, run_id="b" * 32), owner="h", lease=5.0)
    assert not isinstance(same.value, OtherQuestion)


async def test_a_session_with_a_chosen_id_is_begun_anew_once_it_is_over(place: Place) -> None:
    work = await named_sessions.begin(place.sessions, replace(NAMED, session_ttl=-1.0), owner="h", lease=5.0)
    await append(place.database, work.lease, 1, [DONE])
    again = await named_sessions.begin(place.sessions, replace(NAMED, run_id="b" * 32), owner="h", lease=5.0)
    assert again.turn == 1
    assert [turn.question for turn in (await place.sessions.read("s1", **OWN)).turns] == ["How?"]
    assert await count(place.database, "runs") == 1, "nothing is left of the former one"


async def test_of_questions_that_begin_one_session_the_others_find_it_busy(place: Place) -> None:
    asks = [replace(NAMED, run_id=letter * 32) for letter in "bcd"]
    came = await asyncio.gather(
        *(named_sessions.begin(place.sessions, ask, owner="h", lease=5.0) for ask in asks), return_exceptions=True
    )
    (won,) = [each for each in came if not isinstance(each, BaseException)]
    assert [each.run_id for each in came if isinstance(each, SessionBusy)] == [won.lease.run_id] * 2


async def test_a_session_that_is_begun_while_it_is_looked_for_takes_a_turn(place: Place) -> None:
    class BegunBetween:
        """Nothing is found at first; then another question begins the session."""

        async def fetch(self, sql: str, *args: Value) -> list[Row]:
            rows = await place.database.fetch(sql, *args)
            if not rows:
                await place.sessions.begin(replace(NAMED, new_session=True), owner="h", lease=5.0)
            return rows

    if not isinstance(place.sessions, StoredSessions):
        return  # one statement there finds the session and counts its turns
    turn = await take_turn(
        cast(Database, BegunBetween()), "s1", agent="demo/support", caller="alice", ttl=60.0, max_turns=3, revision="r1"
    )
    assert turn == 2
