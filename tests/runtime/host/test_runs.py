"""Runs on a host: every event once and stored before it is seen, within the bounds, and with an end."""

import asyncio

import pytest

from slipway_runtime.events import Done, EventId, Failed, Retrieved, Started
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Emit, Run
from slipway_runtime.store.database import Database
from slipway_runtime.store.looks import look
from slipway_runtime.store.sessions import delete_session, read_session
from tests.support.scripts import (
    AGENT,
    SHORT,
    WHOLE,
    Gated,
    Scripted,
    StartHost,
    answer,
    ask,
    asked_of,
    at_once,
    begin,
    gather,
    hosted,
    types,
)
from tests.support.waiting import until


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


@pytest.mark.parametrize(("length", "outcome"), [(1_000_000, "done"), (1_048_576, "LimitReached")])
async def test_an_answer_that_gateways_do_not_pass_on_fails(start_host: StartHost, length: int, outcome: str) -> None:
    async def long(run: Run) -> Done:
        return Done(answer="x" * length, finish="stop", sources=())

    host = await start_host(hosted(long))
    asked = ask()
    await begin(host, asked)
    last = (await answer(host, asked))[-1].event
    if outcome == "done":
        assert isinstance(last, Done)
        return
    assert isinstance(last, Failed)
    assert (last.reason, "bytes, and 1044480 at most" in last.message) == (outcome, True)


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


@pytest.mark.proves("Agent.limits.inFlight")
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


async def failing(_: Run) -> Done:
    raise KeyError("MARKER")


async def failing_step(run: Run) -> Done:
    async def do(emit: Emit) -> None:
        emit(Retrieved(chunks=1, best_score=0.5))
        raise KeyError("MARKER")

    await run.step("answer", do)
    raise AssertionError


async def not_ready(run: Run) -> Done:
    async def do(_: Emit) -> None:
        raise Problem(Reason.INDEX_NOT_READY, "Wait for the index.")

    await run.step("answer", do)
    raise AssertionError


async def slow(run: Run) -> Done:
    async def do(_: Emit) -> None:
        await asyncio.Event().wait()

    await run.step("answer", do)
    raise AssertionError


async def timing_out(_: Run) -> Done:
    raise TimeoutError


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (hosted(failing), Reason.INTERNAL_ERROR),
        (hosted(not_ready), Reason.INDEX_NOT_READY),
        (hosted(failing_step), Reason.INTERNAL_ERROR),
        (hosted(slow, request_timeout_seconds=1), Reason.REQUEST_TIMEOUT),
        (hosted(timing_out), Reason.INTERNAL_ERROR),
    ],
    ids=["raises", "problem", "a step raises", "too slow", "times out by itself"],
)
@pytest.mark.proves("Agent.limits.requestTimeout")
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


async def test_a_run_ends_with_its_session(start_host: StartHost, database: Database) -> None:
    script = Gated()
    host = await start_host(hosted(script))
    asked = ask()
    await begin(host, asked)
    events = host.runs.follow(asked.run_id, agent=AGENT, caller="alice")
    started = (await anext(events)).event
    assert isinstance(started, Started)
    assert started.session_id
    await delete_session(database, started.session_id, agent=AGENT, caller="alice")
    script.gate.set()
    with pytest.raises(Problem) as gone:
        await gather(events)
    assert gone.value.reason is Reason.RUN_NOT_FOUND
    await until(lambda: host.runs.in_flight == 0, "the slot is free again")


@pytest.mark.proves("Agent.sessions.maxTurns")
async def test_a_session_counts_its_turns(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(at_once, session_max_turns=2))
    first = ask("One?")
    await begin(host, first)
    started = (await answer(host, first))[0].event
    assert isinstance(started, Started)
    assert started.session_id
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


@pytest.mark.proves("Agent.sessions.ttl")
async def test_a_session_lives_for_its_ttl(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(at_once, session_ttl_seconds=90))
    asked = ask()
    await begin(host, asked)
    await answer(host, asked)
    (row,) = await database.fetch("SELECT expires - created AS ttl FROM sessions")
    assert row["ttl"] == pytest.approx(90, abs=1)


@pytest.mark.parametrize("desired", [True, False])
async def test_an_agent_that_wants_them_gets_former_turns(start_host: StartHost, desired: bool) -> None:
    async def answers_or_fails(run: Run) -> Done:
        if run.request.question == "Two?":
            raise ValueError
        return Done(answer=f"{run.request.question[:-1]}!", finish="stop", sources=())

    agent = hosted(answers_or_fails)
    assert isinstance(agent.agent, Scripted)
    agent.agent.honours |= {"turns"} if desired else set()
    host = await start_host(agent)
    first = ask("One?")
    await begin(host, first)
    session = (await answer(host, first))[0].json["session_id"]
    for question in ("Two?", "Three?", "Four?"):
        asked = ask(question, session_id=session)
        await begin(host, asked)
        await answer(host, asked)
    turns = [[(turn.question, turn.answer) for turn in request.turns] for request in asked_of(host)]
    one, three = ("One?", "One!"), ("Three?", "Three!")
    assert turns == ([[], [one], [one], [one, three]] if desired else [[]] * 4)


async def test_a_run_of_somebody_else_does_not_exist(start_host: StartHost) -> None:
    host = await start_host(hosted(Gated()))
    asked = ask()
    await begin(host, asked)
    for agent, caller in ((AGENT, "bob"), ("other/support", "alice")):
        with pytest.raises(Problem) as stranger:
            await gather(host.runs.follow(asked.run_id, agent=agent, caller=caller))
        assert stranger.value.reason is Reason.RUN_NOT_FOUND
        with pytest.raises(Problem) as stranger:
            await host.runs.events(asked.run_id, agent=agent, caller=caller)
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


async def test_whoever_sees_the_answer_may_ask_again_at_once(start_host: StartHost) -> None:
    host = await start_host(hosted(at_once, in_flight=1))
    first, second = ask(), ask()
    await begin(host, first)
    async for event in host.runs.follow(first.run_id, agent=AGENT, caller="alice"):
        if event.event.type == "done":
            await begin(host, second)
    assert types(await answer(host, second)) == SHORT
