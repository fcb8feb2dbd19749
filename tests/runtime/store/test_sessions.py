"""Sessions: whose they are, and when they go."""

import time
from dataclasses import replace

import pytest

from slipway_runtime.events import Done, InputRequired
from slipway_runtime.store.database import Database
from slipway_runtime.store.runs import LeaseLost, append, begin
from slipway_runtime.store.sessions import (
    OtherRevision,
    SessionNotFound,
    Summary,
    delete_expired,
    delete_expired_runs,
    delete_session,
    finished_turns,
    read_session,
    read_summary,
    save_summary,
)
from tests.support.long_sessions import add_long_session
from tests.support.questions import ASK, question

ASK_IN_SESSION = replace(ASK, run_id="d" * 32, session_ttl=-1.0)
OWN = {"agent": "demo/support", "caller": "alice"}
DONE = Done(answer="So.", finish="stop", sources=())


ASKED = InputRequired(step="input/a", id="a", kind="approval", answerers=("caller",), expires=time.time() + 3600)


async def count(database: Database, table: str) -> object:
    (row,) = await database.fetch(f"SELECT count(*) AS n FROM {table}")
    return row["n"]


async def test_a_session_has_its_turns_oldest_first(database: Database) -> None:
    first = await begin(database, ASK, owner="h", lease=5.0)
    await append(database, first.lease, 1, [DONE])
    await begin(database, replace(ASK, run_id="b" * 32, ask=question("And?"), new_session=False), owner="h", lease=5.0)
    session = await read_session(database, "s1", **OWN)
    assert [(turn.question, turn.outcome) for turn in session.turns] == [("How?", "done"), ("And?", None)]
    assert session.turns[0].result == DONE.to_json()
    assert session.turns[1].result is None
    assert session.created <= session.turns[0].created <= session.expires


@pytest.mark.parametrize("stranger", [{"caller": "bob"}, {"agent": "other/support"}], ids=["caller", "agent"])
async def test_to_others_it_does_not_exist(database: Database, stranger: dict[str, str]) -> None:
    await begin(database, ASK, owner="h", lease=5.0)
    with pytest.raises(SessionNotFound):
        await read_session(database, "s1", **{**OWN, **stranger})
    with pytest.raises(SessionNotFound):
        await delete_session(database, "s1", **{**OWN, **stranger})
    assert (await read_session(database, "s1", **OWN)).id == "s1"


async def test_deleting_takes_runs_and_events_along_and_stops_the_run(database: Database) -> None:
    work = await begin(database, ASK, owner="h", lease=5.0)
    await append(database, work.lease, 1, [DONE.model_copy()])
    running = await begin(database, replace(ASK, run_id="b" * 32, new_session=False), owner="h", lease=5.0)
    await delete_session(database, "s1", **OWN)
    assert [await count(database, table) for table in ("sessions", "runs", "events")] == [0, 0, 0]
    with pytest.raises(LeaseLost):
        await append(database, running.lease, 1, [DONE])
    with pytest.raises(SessionNotFound):
        await delete_session(database, "s1", **OWN)


async def test_expired_sessions_go_in_batches_but_not_under_a_run(database: Database) -> None:
    for number in range(5):
        ask = replace(ASK, run_id=f"{number:032x}", session_id=f"old{number}", session_ttl=-1.0)
        work = await begin(database, ask, owner="h", lease=30.0)
        if number:
            await append(database, work.lease, 1, [DONE])
    await begin(database, ASK, owner="h", lease=5.0)
    assert [await delete_expired(database, limit=3) for _ in range(3)] == [3, 1, 0]
    rows = await database.fetch("SELECT id FROM sessions ORDER BY id")
    assert [row["id"] for row in rows] == ["old0", "s1"]


async def test_a_session_stays_with_its_revision_until_that_is_gone(database: Database) -> None:
    work = await begin(database, ASK, owner="h", lease=5.0)
    await append(database, work.lease, 1, [DONE])
    newer = replace(ASK, run_id="b" * 32, new_session=False, revision="r2", retiring=frozenset({"r0", "r1"}))
    with pytest.raises(OtherRevision) as refused:
        await begin(database, newer, owner="h", lease=5.0)
    assert refused.value.revision == "r1"
    assert len((await read_session(database, "s1", **OWN)).turns) == 1, "nothing was counted"
    work = await begin(database, replace(newer, retiring=frozenset({"r0"})), owner="h", lease=5.0)
    assert work.turn == 2
    await append(database, work.lease, 1, [DONE])
    own = replace(newer, run_id="c" * 32, retiring=frozenset({"r1", "r2"}))
    assert (await begin(database, own, owner="h", lease=5.0)).turn == 3, "it belongs to r2 now"


async def test_an_expired_session_takes_no_more_turns(database: Database) -> None:
    await begin(database, replace(ASK, session_ttl=-1.0), owner="h", lease=5.0)
    with pytest.raises(SessionNotFound):
        await read_session(database, "s1", **OWN)
    with pytest.raises(SessionNotFound):
        await begin(database, replace(ASK, run_id="b" * 32, new_session=False), owner="h", lease=5.0)


async def test_a_run_without_a_session_expires_by_itself(database: Database) -> None:
    alone = replace(ASK, session_id=None, new_session=False)
    finished = await begin(database, replace(alone, session_ttl=-1.0), owner="h", lease=5.0)
    await append(database, finished.lease, 1, [DONE])
    await begin(database, replace(alone, run_id="b" * 32, session_ttl=-1.0), owner="h", lease=5.0)
    kept = await begin(database, replace(alone, run_id="c" * 32), owner="h", lease=5.0)
    await append(database, kept.lease, 1, [DONE])
    await begin(database, ASK_IN_SESSION, owner="h", lease=5.0)
    assert [await delete_expired_runs(database, limit=5) for _ in range(2)] == [1, 0]
    rows = await database.fetch("SELECT id FROM runs ORDER BY id")
    assert [row["id"] for row in rows] == ["b" * 32, "c" * 32, "d" * 32]
    assert await count(database, "sessions") == 1


async def test_a_session_outlives_what_its_run_waits_for(database: Database) -> None:
    for number, session_id in enumerate((None, "s1")):
        ask = replace(ASK, run_id=f"{number:032x}", session_id=session_id, new_session=True, session_ttl=-1.0)
        work = await begin(database, ask, owner="h", lease=-1.0)
        await append(database, work.lease, 1, [ASKED])
    assert (await delete_expired(database, limit=5), await delete_expired_runs(database, limit=5)) == (0, 0)
    session = await read_session(database, "s1", **OWN)
    assert [(turn.outcome, turn.waits) for turn in session.turns] == [(None, True)]


async def test_a_summary_is_not_replaced_by_one_of_fewer_turns(database: Database) -> None:
    await begin(database, ASK, owner="h", lease=5.0)
    assert await read_summary(database, "s1") == Summary()
    for summary in (Summary("Two\0 turns.", 2), Summary("Five turns.", 5), Summary("Three turns.", 3)):
        await save_summary(database, "s1", summary)
    assert await read_summary(database, "s1") == Summary("Five turns.", 5)
    assert await read_summary(database, "none") == Summary()


async def test_turns_are_read_from_behind_a_summary_and_newest_first(database: Database) -> None:
    await add_long_session(database, "s1", turns=30)
    turns = await finished_turns(database, "s1", after=20, before=29, limit=50)
    assert [turn.number for turn in turns] == list(range(21, 29))
    assert [turn.number for turn in await finished_turns(database, "s1", before=29, limit=2)] == [27, 28]
    assert (turns[0].question, turns[0].answer) == ("Question 21?", "Answer 21.")
