"""Runs that wait for an input: nobody works on them, and they go on when somebody answers or nobody does in time."""

import asyncio
from dataclasses import replace

import pytest

from slipway_runtime.events import Delta, Done, Failed, InputGiven, NumberedEvent
from slipway_runtime.host import attempt
from slipway_runtime.host.interventions import Giving, cancel, give
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.new_run import NewRun
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Run
from slipway_runtime.store.database import Database
from slipway_runtime.store.looks import look
from tests.support.scripts import (
    AGENT,
    Gated,
    StartHost,
    answer,
    ask,
    asked_of,
    at_once,
    begin,
    hosted,
    said,
    types,
)
from tests.support.waiting import until, until_async

ASKS = ["started", "delta", "input_required"]
GOES_ON = ["input_given", "restarted", "started", "delta", "done"]


class Asking:
    """A script that says `a`, asks for an approval, and says what came of it."""

    def __init__(self, *answerers: str, seconds: float = 3600.0) -> None:
        self.answerers = answerers or ("caller",)
        self.seconds = seconds

    async def __call__(self, run: Run) -> Done:
        await said(run, "first", Delta(text="a"))
        given = await run.ask("go", "approval", prompt="Go on?", answerers=self.answerers, seconds=self.seconds)
        text = f"{'yes' if given.approved else 'no'} by {given.by}"
        await said(run, "second", Delta(text=text))
        return Done(answer=f"a{text}", finish="stop", sources=())


def giving(asked: NewRun, **changed: object) -> Giving:
    """An approval of the run's caller."""
    given: dict[str, object] = {
        **{"run_id": asked.run_id, "input_id": "go", "caller": asked.caller, "groups": ()},
        **{"approved": True, "answer": None, "request": "1"},
    }
    return Giving(**(given | changed))  # type: ignore[arg-type]


async def given(host: Host, changed: Giving) -> None:
    await give(host.runs, host.database, host.runs.agents[AGENT], changed)


async def waiting(host: Host, asked: NewRun) -> list[NumberedEvent]:
    """Ask, and follow until the run waits."""
    await begin(host, asked)
    follow = host.runs.follow(asked.run_id, agent=AGENT, caller=asked.caller, watch=False)
    return [event async for event in follow]


async def test_a_run_waits_without_a_lease_and_goes_on_with_the_answer(start_host: StartHost) -> None:
    first, second = await start_host(hosted(Asking())), await start_host(hosted(Asking()))
    asked = ask()
    events = await waiting(first, asked)
    assert types(events) == ASKS
    await until(lambda: first.runs.in_flight == 0, "nobody works on it")
    following = asyncio.create_task(answer(first, asked))
    await second.runs.adopt_orphans(expired_for=-1.0, limit=5)
    assert asked_of(second) == [], "a run that waits is no orphan"
    await given(second, giving(asked))
    whole = await following
    assert types(whole) == ASKS + GOES_ON
    assert len({event.id for event in whole}) == len(whole)
    assert [event.event.by for event in whole if isinstance(event.event, InputGiven)] == ["alice"]
    done = whole[-1].event
    assert isinstance(done, Done)
    assert done.answer == "ayes by alice"
    assert await answer(second, asked) == whole


async def test_an_answer_is_given_once(start_host: StartHost) -> None:
    host = await start_host(hosted(Asking()))
    asked = ask()
    await waiting(host, asked)
    await given(host, giving(asked, approved=False))
    await given(host, giving(asked, approved=False))  # the same request, sent again by the gateway
    with pytest.raises(Problem) as late:
        await given(host, giving(asked, request="2"))
    assert late.value.reason is Reason.INPUT_NOT_OPEN
    done = (await answer(host, asked))[-1].event
    assert isinstance(done, Done)
    assert done.answer == "ano by alice"


@pytest.mark.parametrize(
    ("answerers", "caller", "groups", "reason"),
    [
        (("caller",), "bob", (), Reason.RUN_NOT_FOUND),
        (("group:ops",), "alice", (), Reason.NOT_AN_ANSWERER),
        (("group:ops",), "bob", ("dev",), Reason.RUN_NOT_FOUND),
        (("group:ops",), "bob", ("dev", "ops"), None),
        (("group:ops", "caller"), "alice", (), None),
        (("group:caller",), "bob", (), Reason.RUN_NOT_FOUND),
    ],
)
async def test_only_those_who_are_asked_answer(
    start_host: StartHost, answerers: tuple[str, ...], caller: str, groups: tuple[str, ...], reason: Reason | None
) -> None:
    host = await start_host(hosted(Asking(*answerers)))
    asked = ask()
    await waiting(host, asked)
    attempted = giving(asked, caller=caller, groups=groups)
    if reason is None:
        await given(host, attempted)
        assert types(await answer(host, asked))[-5:] == GOES_ON
    else:
        with pytest.raises(Problem) as refused:
            await given(host, attempted)
        assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"input_id": "other"}, Reason.INPUT_NOT_FOUND),
        ({"run_id": "f" * 32}, Reason.RUN_NOT_FOUND),
        ({"approved": None, "answer": {}}, Reason.INVALID_REQUEST),
    ],
)
async def test_what_cannot_be_given(start_host: StartHost, changed: dict[str, object], reason: Reason) -> None:
    host = await start_host(hosted(Asking()))
    asked = ask()
    await waiting(host, asked)
    with pytest.raises(Problem) as refused:
        await given(host, giving(asked, **changed))
    assert refused.value.reason is reason


@pytest.mark.parametrize("followed", [True, False])
async def test_an_input_that_nobody_gives_is_denied(start_host: StartHost, database: Database, followed: bool) -> None:
    host = await start_host(hosted(Asking(seconds=0.3)))
    asked = ask()
    await waiting(host, asked)

    async def ended() -> bool:
        await host.runs.adopt_orphans(expired_for=0.0, limit=5)
        seen = await look(database, asked.run_id, agent=AGENT, caller="alice", after=None)
        return seen is not None and seen.outcome == "done"

    if not followed:
        await until_async(ended, "the run goes on by itself")
    done = (await answer(host, asked))[-1].event
    assert isinstance(done, Done)
    assert done.answer == "ano by expiry"
    with pytest.raises(Problem) as late:
        await given(host, giving(asked))
    assert late.value.reason is Reason.INPUT_NOT_OPEN


@pytest.mark.proves("Agent.limits.requestTimeout")
async def test_waiting_is_no_working_time(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(Asking(), request_timeout_seconds=30))
    asked = ask()
    await waiting(host, asked)
    await database.execute("UPDATE runs SET deadline = deadline - 3600, lease_until = lease_until - 3600")
    await given(host, giving(asked))
    assert types(await answer(host, asked))[-5:] == GOES_ON


async def test_waiting_often_brings_no_run_down(start_host: StartHost) -> None:
    rounds = attempt.MAX_DEATHS + 2

    async def asks_often(run: Run) -> Done:
        for number in range(rounds):
            await run.ask(f"{number}", "approval")
        return Done(answer="so", finish="stop", sources=())

    host = await start_host(hosted(asks_often))
    asked = ask()
    await begin(host, asked)
    for number in range(rounds):
        async for _ in host.runs.follow(asked.run_id, agent=AGENT, caller="alice", watch=False):
            pass
        await given(host, giving(asked, input_id=f"{number}", request=f"{number}"))
    assert (await answer(host, asked))[-1].event.type == "done"


async def test_handing_over_often_brings_no_run_down(start_host: StartHost) -> None:
    asked = ask()
    for number in range(attempt.MAX_DEATHS + 1):
        script = Gated()
        host = await start_host(hosted(script))
        if number == 0:
            await begin(host, asked)
        following = asyncio.create_task(answer(host, asked))
        await until(script.waiting.is_set, "the next host works on it")
        following.cancel()
        await host.runs.hand_over()
    last = await start_host(hosted(at_once))
    assert not isinstance((await answer(last, asked))[-1].event, Failed)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
async def test_a_cancelled_run_ends_wherever_it_is(
    start_host: StartHost, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr("slipway_runtime.host.lifecycle.BEAT_SECONDS", 0.05)
    script = Gated()
    first, second = await start_host(hosted(script)), await start_host(hosted(script))
    asked = ask()
    await begin(first, asked)
    following = asyncio.create_task(answer(first, asked))
    await script.waiting.wait()
    host = first if where == "here" else second
    for _ in range(2):  # once more does nothing
        await cancel(host.runs, host.database, asked.run_id, agent=AGENT, caller="alice")
    whole = await following
    assert types(whole)[-1] == "cancelled"
    await until(lambda: first.runs.in_flight == 0, "the agent is stopped")
    assert await answer(second, asked) == whole
    with pytest.raises(Problem) as stranger:
        await cancel(host.runs, host.database, asked.run_id, agent=AGENT, caller="bob")
    assert stranger.value.reason is Reason.RUN_NOT_FOUND


async def test_a_run_that_waits_is_cancelled_and_takes_no_answer(start_host: StartHost) -> None:
    host = await start_host(hosted(Asking()))
    asked = ask()
    await waiting(host, asked)
    await cancel(host.runs, host.database, asked.run_id, agent=AGENT, caller="alice")
    assert types(await answer(host, asked)) == [*ASKS, "cancelled"]
    with pytest.raises(Problem) as late:
        await given(host, giving(asked))
    assert late.value.reason is Reason.INPUT_NOT_OPEN


async def test_a_session_answers_one_at_a_time(start_host: StartHost) -> None:
    script = Gated()
    host, other = await start_host(hosted(script)), await start_host(hosted(script))
    first = ask()
    await begin(host, first)
    started = await anext(host.runs.follow(first.run_id, agent=AGENT, caller="alice"))
    session = str(started.json["session_id"])
    for each in (host, other):
        with pytest.raises(Problem) as refused:
            await begin(each, ask(session_id=session))
        assert refused.value.reason is Reason.SESSION_BUSY
        assert first.run_id in refused.value.detail
    second = ask(session_id=session)
    patient = asyncio.create_task(begin(other, replace(second, wait=30.0)))
    with pytest.raises(Problem):
        await begin(host, ask("And?", session_id=session, wait=0.2))
    assert not patient.done()
    script.gate.set()
    await patient
    assert (await answer(other, second))[-1].event.type == "done"


async def test_a_run_without_a_session(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(at_once))
    asked = ask(keeps_session=False)
    await begin(host, asked)
    events = await answer(host, asked)
    assert events[-1].event.type == "done"
    assert "session_id" not in events[0].json
    assert await database.fetch("SELECT id FROM sessions") == []
