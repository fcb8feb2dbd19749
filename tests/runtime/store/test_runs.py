"""Runs: who may write, what is read back, and what happens when a host is unsure or gone."""

import asyncio
from dataclasses import replace

import pytest

from slipway_runtime.events import Delta, Done, Event, EventId, Failed, Started
from slipway_runtime.protocols.ask import Ask, DataPart, TextPart
from slipway_runtime.store.database import Database
from slipway_runtime.store.leases import LeaseLost, release, renew, take_over
from slipway_runtime.store.looks import Look, look
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.orphans import ServedRevision, orphans
from slipway_runtime.store.runs import OtherQuestion, RunExists, append, begin
from slipway_runtime.store.sessions import SessionFull, SessionNotFound, read_session
from tests.support.questions import ASK, question

START = Started(agent="demo/support", session_id="s1")
DONE = Done(answer="So.", finish="stop", sources=())


async def seen(database: Database, run_id: str = ASK.run_id, after: EventId | None = None) -> Look:
    found = await look(database, run_id, agent="demo/support", caller="alice", after=after)
    assert found is not None
    return found


def texts(look: Look) -> list[tuple[int, int, Event]]:
    return [(event.id.attempt, event.id.seq, event.event) for event in look.events]


async def test_what_is_asked_is_kept_whole_for_whoever_takes_the_run_over(database: Database) -> None:
    asked = Ask(parts=(TextPart(text="a\u0000b"), DataPart(data={"ticket": 7, "text": "a\u0000"})), grant="g")
    work = await begin(database, replace(ASK, ask=asked), owner="one", lease=-1.0)
    assert work.ask == asked
    taken = await take_over(database, ASK.run_id, attempt=1, owner="two", lease=10.0, revision=ASK.revision)
    assert taken
    assert taken.ask == asked


async def test_a_question_becomes_a_run_and_a_session(database: Database) -> None:
    work = await begin(database, ASK, owner="h1", lease=5.0)
    assert (work.ask.text, work.session_id, work.lease.attempt) == ("How?", "s1", 1)
    found = await seen(database)
    assert (found.owner, found.attempt, found.outcome, found.events) == ("h1", 1, None, ())
    assert 0 < found.lease_left <= 5.0


async def test_the_same_run_is_begun_once(database: Database, dsn: str) -> None:
    other = await open_database(dsn)
    results = await asyncio.gather(
        begin(database, ASK, owner="h1", lease=5.0),
        begin(other, replace(ASK, session_id="s2"), owner="h2", lease=5.0),
        return_exceptions=True,
    )
    await other.close()
    assert sorted(type(result).__name__ for result in results) == ["RunExists", "Work"]
    (row,) = await database.fetch("SELECT count(*) AS n FROM sessions")
    assert row["n"] == 1, "the one that came second left no session"


async def test_events_come_back_numbered_and_after_a_place(database: Database) -> None:
    work = await begin(database, ASK, owner="h1", lease=5.0)
    await append(database, work.lease, 1, [START, Delta(text="a")])
    await append(database, work.lease, 3, [Delta(text="b"), DONE])
    whole = [(1, 1, START), (1, 2, Delta(text="a")), (1, 3, Delta(text="b")), (1, 4, DONE)]
    assert texts(await seen(database)) == whole
    after = await seen(database, after=EventId(ASK.run_id, 1, 3))
    assert texts(after) == [(1, 4, DONE)]
    assert after.outcome == "done"
    assert texts(await seen(database, after=EventId(ASK.run_id, 1, 4))) == []


async def test_an_unsure_commit_may_be_repeated(database: Database) -> None:
    work = await begin(database, ASK, owner="h1", lease=5.0)
    for _ in range(2):
        await append(database, work.lease, 1, [START])
    for _ in range(2):
        await append(database, work.lease, 2, [DONE])
    assert texts(await seen(database)) == [(1, 1, START), (1, 2, DONE)]


async def test_nothing_is_written_after_the_end(database: Database) -> None:
    work = await begin(database, ASK, owner="h1", lease=5.0)
    await append(database, work.lease, 1, [DONE])
    with pytest.raises(LeaseLost):
        await append(database, work.lease, 2, [Delta(text="late")])
    with pytest.raises(LeaseLost):
        await append(database, work.lease, 2, [Failed(reason="X", message="late")])
    assert texts(await seen(database)) == [(1, 1, DONE)]


async def test_a_live_run_is_not_taken_over(database: Database) -> None:
    await begin(database, ASK, owner="h1", lease=5.0)
    assert await take_over(database, ASK.run_id, attempt=1, owner="h2", lease=5.0, revision="r1") is None


async def test_a_host_that_seemed_dead_writes_nothing_any_more(database: Database) -> None:
    first = await begin(database, ASK, owner="h1", lease=-1.0)
    await append(database, first.lease, 1, [START])
    second = await take_over(database, ASK.run_id, attempt=1, owner="h2", lease=5.0, revision="r1")
    assert second is not None
    assert (second.ask.text, second.caller, second.agent, second.lease.attempt) == ("How?", "alice", "demo/support", 2)
    assert 0 < second.time_left <= 31.5, "the second for which nobody worked on it does not count"
    for late in (Delta(text="late"), DONE):
        with pytest.raises(LeaseLost):
            await append(database, first.lease, 2, [late])
    await renew(database, [first.lease], seconds=100.0)
    await append(database, second.lease, 1, [START, DONE])
    found = await seen(database)
    assert texts(found) == [(1, 1, START), (2, 1, START), (2, 2, DONE)]
    assert found.lease_left < 5.1


async def test_of_many_heirs_one_gets_the_run(database: Database, dsn: str) -> None:
    await begin(database, ASK, owner="h0", lease=-1.0)
    others = [await open_database(dsn) for _ in range(4)]
    heirs = await asyncio.gather(
        *(
            take_over(other, ASK.run_id, attempt=1, owner=f"h{n}", lease=5.0, revision="r1")
            for n, other in enumerate(others, 1)
        )
    )
    for other in others:
        await other.close()
    assert len([heir for heir in heirs if heir]) == 1
    assert (await seen(database)).attempt == 2


async def test_the_old_host_and_its_heir_never_both_write(database: Database, dsn: str) -> None:
    """A commit and a takeover at the same moment: events of the old attempt are in before it, or not at all."""
    other = await open_database(dsn)
    for number in range(20):
        ask = replace(ASK, run_id=f"{number:032x}", session_id=f"s{number}")
        first = await begin(database, ask, owner="h1", lease=-1.0)
        written, heir = await asyncio.gather(
            append(database, first.lease, 1, [START, DONE]),
            take_over(other, ask.run_id, attempt=1, owner="h2", lease=5.0, revision="r1"),
            return_exceptions=True,
        )
        found = await seen(database, ask.run_id)
        assert not isinstance(heir, BaseException)
        if isinstance(written, LeaseLost):
            assert heir is not None
            assert found.events == ()
        else:
            assert written is None
            assert heir is None, "a finished run has no heir"
            assert found.outcome == "done"
    await other.close()


async def test_leases_are_renewed_and_given_up_together(database: Database) -> None:
    works = [
        await begin(database, replace(ASK, run_id=f"{n:032x}", session_id=f"s{n}"), owner="h1", lease=1.0)
        for n in range(3)
    ]
    await renew(database, [work.lease for work in works], seconds=50.0)
    assert all([(await seen(database, work.lease.run_id)).lease_left > 40 for work in works])
    await release(database, [work.lease for work in works[:2]])
    own = [ServedRevision("demo/support", "r1")]
    found = await orphans(database, own, expired_for=0.0, limit=10)
    assert {orphan.run_id for orphan in found} == {work.lease.run_id for work in works[:2]}
    assert await orphans(database, [ServedRevision("demo/other", "r1")], expired_for=0.0, limit=10) == []
    assert await orphans(database, own, expired_for=60.0, limit=10) == []
    await renew(database, [], seconds=5.0)


async def test_a_run_is_its_callers_alone(database: Database) -> None:
    await begin(database, ASK, owner="h1", lease=5.0)
    assert await look(database, ASK.run_id, agent="demo/support", caller="bob", after=None) is None
    assert await look(database, ASK.run_id, agent="other/support", caller="alice", after=None) is None


async def test_a_session_takes_so_many_turns(database: Database) -> None:
    for number in range(3):
        ask = replace(ASK, run_id=f"{number:032x}", new_session=number == 0)
        work = await begin(database, ask, owner="h1", lease=5.0)
        await append(database, work.lease, 1, [DONE])
    more = replace(ASK, new_session=False)
    with pytest.raises(SessionFull):
        await begin(database, more, owner="h1", lease=5.0)
    with pytest.raises(RunExists):
        await begin(database, replace(more, run_id=f"{2:032x}"), owner="h1", lease=5.0)
    session = await read_session(database, "s1", agent="demo/support", caller="alice")
    assert len(session.turns) == 3


async def test_of_questions_at_the_same_moment_a_session_takes_one(database: Database, dsn: str) -> None:
    first = await begin(database, ASK, owner="h1", lease=5.0)
    await append(database, first.lease, 1, [DONE])
    others = [await open_database(dsn) for _ in range(4)]
    asks = [replace(ASK, run_id=f"{n:032x}", new_session=False) for n in range(4)]
    results = await asyncio.gather(
        *(begin(other, ask, owner="h", lease=5.0) for other, ask in zip(others, asks, strict=True)),
        return_exceptions=True,
    )
    for other in others:
        await other.close()
    assert sorted(type(result).__name__ for result in results) == ["SessionBusy"] * 3 + ["Work"]
    session = await read_session(database, "s1", agent="demo/support", caller="alice")
    assert len(session.turns) == 2
    (row,) = await database.fetch("SELECT turns FROM sessions")
    assert row["turns"] == 2, "who is refused takes no turn"


async def test_a_run_id_of_another_question_is_known(database: Database) -> None:
    await begin(database, ASK, owner="h1", lease=5.0)
    for other in (
        replace(ASK, ask=question("What?"), session_id="s2"),
        replace(ASK, session_id="s9", new_session=False),
    ):
        with pytest.raises(OtherQuestion):
            await begin(database, other, owner="h1", lease=5.0)


@pytest.mark.parametrize(
    "stranger", [{"caller": "bob"}, {"agent": "other/support"}, {"session_id": "s2"}], ids=["caller", "agent", "id"]
)
async def test_a_session_of_somebody_else_does_not_exist(database: Database, stranger: dict[str, str]) -> None:
    await begin(database, ASK, owner="h1", lease=5.0)
    ask = replace(ASK, run_id="b" * 32, new_session=False, **stranger)  # type: ignore[arg-type]
    with pytest.raises(SessionNotFound):
        await begin(database, ask, owner="h1", lease=5.0)
