"""Runs on hosts: every event once and stored before it is seen, whatever happens to the hosts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from slipway_runtime.agents.protocol import AgentRequest
from slipway_runtime.events import Event, EventId, Failed, NumberedEvent, Retrieved
from slipway_runtime.host import attempt, runs
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.runs import Ask
from slipway_runtime.host.service import Host
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.store import runs as stored
from slipway_runtime.store.database import Database, open_database
from slipway_runtime.store.runs import Work, look
from slipway_runtime.store.sessions import delete_session, read_session
from tests.support.scripts import AGENT, Gated, Scripted, StartHost, ask, at_once, gather, hosted, types
from tests.support.waiting import until, until_async

WHOLE = ["started", "retrieved", "delta", "delta", "usage", "done"]
SHORT = ["started", "retrieved", "delta", "usage", "done"]


async def answer(host: Host, asked: Ask, *, after: EventId | None = None, watch: bool = True) -> list[NumberedEvent]:
    """All events of a run after a place."""
    return await gather(host.runs.follow(asked.run_id, agent=AGENT, caller=asked.caller, after=after, watch=watch))


async def begin(host: Host, asked: Ask) -> None:
    await host.runs.begin(host.runs.agents[AGENT], asked)


def asked_of(host: Host) -> list[AgentRequest]:
    agent = host.runs.agents[AGENT].agent
    assert isinstance(agent, Scripted)
    return agent.asked


async def test_an_answer_is_followed_event_by_event(start_host: StartHost) -> None:
    host = await start_host(hosted(at_once))
    asked = ask()
    await begin(host, asked)
    events = await answer(host, asked)
    assert types(events) == SHORT
    assert [str(event.id) for event in events] == [f"{asked.run_id}.1.{seq}" for seq in range(1, 6)]


async def test_an_unwatched_short_answer_is_one_batch(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(at_once))
    asked = ask()
    await begin(host, asked)
    assert types(await answer(host, asked, watch=False)) == SHORT
    rows = await database.fetch("SELECT first_seq, last_seq FROM events WHERE run_id = $1", asked.run_id)
    assert [tuple(row.values()) for row in rows] == [(1, 5)]


async def test_an_event_is_stored_before_it_is_seen(start_host: StartHost, database: Database) -> None:
    script = Gated()
    script.gate.set()
    host = await start_host(hosted(script))
    asked = ask()
    await begin(host, asked)
    async for event in host.runs.follow(asked.run_id, agent=AGENT, caller="alice"):
        stored = await look(database, asked.run_id, agent=AGENT, caller="alice", after=None)
        assert stored is not None
        assert event in stored.events


@pytest.mark.parametrize("moment", ["during", "after"])
async def test_attaching_gives_each_later_event_once_from_any_host(start_host: StartHost, moment: str) -> None:
    script = Gated()
    first, second = await start_host(hosted(script)), await start_host(hosted(at_once))
    asked = ask()
    await begin(first, asked)
    await script.waiting.wait()
    places = [None, *(EventId(asked.run_id, 1, seq) for seq in range(1, 6))]
    if moment == "after":
        script.gate.set()
        await answer(first, asked)
    following = [asyncio.create_task(answer(host, asked, after=after)) for host in (first, second) for after in places]
    script.gate.set()
    whole, *others = await asyncio.gather(*following)
    assert types(whole) == WHOLE
    assert others == [whole[skip:] for skip in range(1, 6)] + [whole[skip:] for skip in range(6)]
    assert asked_of(second) == []


async def test_a_question_sent_again_joins_its_run(start_host: StartHost) -> None:
    script = Gated()
    first, second = await start_host(hosted(script)), await start_host(hosted(script))
    asked = ask()
    await begin(first, asked)
    await asyncio.gather(begin(first, asked), begin(second, asked), begin(second, asked))
    script.gate.set()
    answers = await asyncio.gather(answer(first, asked), answer(second, asked))
    assert answers[0] == answers[1]
    assert len(asked_of(first)) + len(asked_of(second)) == 1
    assert second.runs.in_flight == 0


async def test_a_run_is_taken_over_when_its_lease_runs_out(
    start_host: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first host works on but looks dead; its clients get the heir's answer, and each event once."""
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.5)
    script = Gated()
    first = await start_host(hosted(script), alive=False)
    asked = ask()
    await begin(first, asked)
    at_first = asyncio.create_task(answer(first, asked))
    await script.waiting.wait()
    monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
    second = await start_host(hosted(at_once))
    at_second = await answer(second, asked)
    assert types(at_second)[-6:] == ["restarted", *SHORT]
    assert [event.id.attempt for event in at_second[-6:]] == [2] * 6
    script.gate.set()
    assert await at_first == at_second
    assert len(at_second) == len({event.id for event in at_second})
    assert len(asked_of(second)) == 1


async def test_when_many_hosts_would_take_a_run_over_one_does(
    start_host: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.2)
    first = await start_host(hosted(Gated()), alive=False)
    asked = ask()
    await begin(first, asked)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
    heirs = [await start_host(hosted(at_once)) for _ in range(3)]
    answers = await asyncio.gather(*(answer(host, asked) for host in heirs for _ in range(3)))
    assert all(given == answers[0] for given in answers)
    assert sum(len(asked_of(host)) for host in heirs) == 1


async def test_an_orphan_that_nobody_asks_for_is_answered(
    start_host: StartHost, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.2)
    first = await start_host(hosted(Gated()), alive=False)
    asked = ask()
    await begin(first, asked)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
    second = await start_host(hosted(at_once))

    async def answered() -> bool:
        await second.runs.adopt_orphans(expired_for=0.0, limit=5)
        seen = await look(database, asked.run_id, agent=AGENT, caller="alice", after=None)
        return seen is not None and seen.outcome == "done"

    await until_async(answered, "the orphan is answered")
    assert len(asked_of(second)) == 1


async def test_what_a_draining_host_cannot_finish_another_one_does(start_host: StartHost) -> None:
    first, second = await start_host(hosted(Gated())), await start_host(hosted(at_once))
    asked = ask()
    await begin(first, asked)
    first.drain()
    with pytest.raises(Problem) as refused:
        await begin(first, ask())
    assert refused.value.reason is Reason.DRAINING
    assert first.runs.in_flight == 1, "what it has goes on"
    await first.runs.hand_over()
    assert types(await answer(second, asked))[-6:] == ["restarted", *SHORT]


async def test_a_host_that_goes_away_sends_its_clients_elsewhere(start_host: StartHost) -> None:
    host = await start_host(hosted(Gated()))
    asked = ask()
    await begin(host, asked)
    following = asyncio.create_task(answer(host, asked))
    await host.runs.hand_over()
    with pytest.raises(Problem) as refused:
        await following
    assert refused.value.reason is Reason.DRAINING


async def test_beyond_the_bound_questions_are_refused_until_a_run_ends(start_host: StartHost) -> None:
    script = Gated()
    host = await start_host(hosted(script, in_flight=2))
    questions = [ask(), ask()]
    for asked in questions:
        await begin(host, asked)
    with pytest.raises(Problem) as refused:
        await begin(host, ask())
    assert refused.value.reason is Reason.OVERLOADED
    assert refused.value.retry_after == 1
    gone = asyncio.create_task(answer(host, questions[0]))
    await script.waiting.wait()
    gone.cancel()
    await asyncio.wait({gone})
    assert host.runs.in_flight == 2, "the run of a client that went away keeps its slot and goes on"
    script.gate.set()
    await until(lambda: host.runs.in_flight == 0, "both runs end")
    await begin(host, ask())
    assert types(await answer(host, questions[0])) == WHOLE


async def failing(_: AgentRequest) -> AsyncIterator[Event]:
    yield Retrieved(chunks=1, best_score=0.5)
    raise KeyError("MARKER")


def not_ready(_: AgentRequest) -> AsyncIterator[Event]:
    raise Problem(Reason.INDEX_NOT_READY, "Wait for the index.")


async def silent(_: AgentRequest) -> AsyncIterator[Event]:
    yield Retrieved(chunks=1, best_score=0.5)


async def slow(_: AgentRequest) -> AsyncIterator[Event]:
    yield Retrieved(chunks=1, best_score=0.5)
    await asyncio.Event().wait()


def timing_out(_: AgentRequest) -> AsyncIterator[Event]:
    raise TimeoutError


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (hosted(failing), Reason.INTERNAL_ERROR),
        (hosted(not_ready), Reason.INDEX_NOT_READY),
        (hosted(silent), Reason.INTERNAL_ERROR),
        (hosted(slow, request_timeout_seconds=1), Reason.REQUEST_TIMEOUT),
        (hosted(timing_out), Reason.INTERNAL_ERROR),
    ],
    ids=["raises", "problem", "no last event", "too slow", "times out by itself"],
)
async def test_however_an_agent_ends_the_run_has_a_last_event(
    start_host: StartHost, agent: HostedAgent, reason: Reason
) -> None:
    host = await start_host(agent)
    asked = ask()
    await begin(host, asked)
    last = (await answer(host, asked))[-1].event
    assert isinstance(last, Failed)
    assert last.reason == reason
    assert "MARKER" not in last.message
    await until(lambda: host.runs.in_flight == 0, "the slot is free again")


async def test_a_question_that_brings_hosts_down_is_given_up(
    start_host: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.1)
    asked = ask()
    for number in range(attempt.MAX_ATTEMPTS):
        script = Gated()
        host = await start_host(hosted(script), alive=False)
        if number == 0:
            await begin(host, asked)
        following = asyncio.create_task(answer(host, asked))
        await until(script.waiting.is_set, "the next host works on it")
        following.cancel()
    last = await start_host(hosted(at_once))
    failed = (await answer(last, asked))[-1].event
    assert isinstance(failed, Failed)
    assert "3 attempts" in failed.message
    assert asked_of(last) == []


async def test_a_run_ends_with_its_session(start_host: StartHost, database: Database) -> None:
    script = Gated()
    host = await start_host(hosted(script))
    asked = ask()
    await begin(host, asked)
    events = host.runs.follow(asked.run_id, agent=AGENT, caller="alice")
    started = (await anext(events)).event
    assert started.type == "started"
    await delete_session(database, started.session_id, agent=AGENT, caller="alice")
    script.gate.set()
    with pytest.raises(Problem) as gone:
        await gather(events)
    assert gone.value.reason is Reason.RUN_NOT_FOUND
    await until(lambda: host.runs.in_flight == 0, "the slot is free again")


async def test_a_session_counts_its_turns(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(at_once, session_max_turns=2))
    first = ask("One?")
    await begin(host, first)
    started = (await answer(host, first))[0].event
    assert started.type == "started"
    second = ask("Two?", session_id=started.session_id)
    await begin(host, second)
    await answer(host, second)
    with pytest.raises(Problem) as full:
        await begin(host, ask("Three?", session_id=started.session_id))
    assert full.value.reason is Reason.SESSION_FULL
    with pytest.raises(Problem) as strange:
        await begin(host, ask("Three?", session_id=started.session_id, caller="bob"))
    assert strange.value.reason is Reason.SESSION_NOT_FOUND
    session = await read_session(database, started.session_id, agent=AGENT, caller="alice")
    assert len(session.turns) == 2
    assert host.runs.in_flight == 0, "refused questions hold no slot"


async def test_a_session_lives_for_its_ttl(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(at_once, session_ttl_seconds=90))
    asked = ask()
    await begin(host, asked)
    await answer(host, asked)
    (row,) = await database.fetch("SELECT expires - created AS ttl FROM sessions")
    assert row["ttl"] == pytest.approx(90, abs=1)


async def test_a_run_of_somebody_else_does_not_exist(start_host: StartHost) -> None:
    host = await start_host(hosted(Gated()))
    asked = ask()
    await begin(host, asked)
    for agent, caller in ((AGENT, "bob"), ("other/support", "alice")):
        with pytest.raises(Problem) as stranger:
            await gather(host.runs.follow(asked.run_id, agent=agent, caller=caller))
        assert stranger.value.reason is Reason.RUN_NOT_FOUND
        with pytest.raises(Problem) as stranger:
            await host.runs.check(asked.run_id, agent=agent, caller=caller)
        assert stranger.value.reason is Reason.RUN_NOT_FOUND


async def test_agents_are_swapped_under_running_questions(start_host: StartHost) -> None:
    script = Gated()
    host = await start_host(hosted(script))
    before, after = ask(), ask("after")
    await begin(host, before)
    await script.waiting.wait()
    host.serve([hosted(at_once)])
    await begin(host, after)
    assert types(await answer(host, after)) == SHORT
    script.gate.set()
    assert types(await answer(host, before)) == WHOLE


async def test_a_heartbeat_keeps_a_slow_run(start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway_runtime.host.service.BEAT_SECONDS", 0.05)
    monkeypatch.setattr("slipway_runtime.host.lease.LEASE_SECONDS", 100.0)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 2.0)
    script = Gated()
    host = await start_host(hosted(script))
    asked = ask()
    await begin(host, asked)
    database = await open_database(dsn)

    async def renewed() -> bool:
        seen = await look(database, asked.run_id, agent=AGENT, caller="alice", after=None)
        return seen is not None and seen.lease_left > 50

    await until_async(renewed, "the lease is renewed")
    await database.close()
    script.gate.set()
    assert types(await answer(host, asked)) == WHOLE


async def test_whoever_sees_the_answer_may_ask_again_at_once(start_host: StartHost) -> None:
    host = await start_host(hosted(at_once, in_flight=1))
    first, second = ask(), ask()
    await begin(host, first)
    async for event in host.runs.follow(first.run_id, agent=AGENT, caller="alice"):
        if event.event.type == "done":
            await begin(host, second)
    assert types(await answer(host, second)) == SHORT


async def test_what_the_first_attempt_stored_last_is_seen_too(
    start_host: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host stores events after its heir looked at the run, and before the heir took it over."""
    monkeypatch.setattr(runs, "LEASE_SECONDS", -1.0)
    script = Gated()
    first = await start_host(hosted(script), alive=False)
    asked = ask()
    await begin(first, asked)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
    second = await start_host(hosted(at_once))
    take_over = stored.take_over

    async def late(*arguments: Any, **options: Any) -> Work | None:
        seen = await answer_so_far(first, asked, count=3)
        assert types(seen) == ["started", "retrieved", "delta"]
        taken: Work | None = await take_over(*arguments, **options)
        return taken

    monkeypatch.setattr(stored, "take_over", late)
    assert types(await answer(second, asked)) == ["started", "retrieved", "delta", "restarted", *SHORT]


async def answer_so_far(host: Host, asked: Ask, *, count: int) -> list[NumberedEvent]:
    """The first events of a run that has not ended."""
    seen: list[NumberedEvent] = []
    async with aclosing(host.runs.follow(asked.run_id, agent=AGENT, caller=asked.caller)) as events:
        async for event in events:
            seen.append(event)
            if len(seen) == count:
                break
    return seen
