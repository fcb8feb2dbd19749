"""What becomes of a run when its host dies, stalls or leaves: another host answers, and clients see each event once."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from slipway_runtime.agents.steps import StepRun
from slipway_runtime.events import Delta, Done, Failed, NumberedEvent
from slipway_runtime.host import attempt, runs
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.new_run import NewRun
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Run
from slipway_runtime.store import leases
from slipway_runtime.store.database import Database
from slipway_runtime.store.leases import Work
from slipway_runtime.store.looks import look
from slipway_runtime.store.opening import open_database
from tests.support.scripts import (
    AGENT,
    SHORT,
    WHOLE,
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


async def left_behind(start_host: StartHost, monkeypatch: pytest.MonkeyPatch, *, lease: float) -> tuple[Host, NewRun]:
    """A run whose host renews no lease; whoever takes it over gets a long one."""
    monkeypatch.setattr(runs, "LEASE_SECONDS", lease)
    host = await start_host(hosted(Gated()), alive=False)
    asked = ask()
    await begin(host, asked)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
    return host, asked


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
    _, asked = await left_behind(start_host, monkeypatch, lease=0.2)
    heirs = [await start_host(hosted(at_once)) for _ in range(3)]
    answers = await asyncio.gather(*(answer(host, asked) for host in heirs for _ in range(3)))
    assert all(given == answers[0] for given in answers)
    assert sum(len(asked_of(host)) for host in heirs) == 1


async def test_an_orphan_that_nobody_asks_for_is_answered(
    start_host: StartHost, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, asked = await left_behind(start_host, monkeypatch, lease=0.2)
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


async def test_a_question_that_brings_hosts_down_is_given_up(
    start_host: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.1)
    asked = ask()
    for number in range(attempt.MAX_DEATHS):
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


async def test_a_question_that_gets_on_is_not_given_up(start_host: StartHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.1)
    asked = ask()
    rounds = attempt.MAX_DEATHS + 1

    class Stuck:
        """A script that finishes one step more than were finished before, and then says nothing any more."""

        def __init__(self, done: int) -> None:
            self.done = done
            self.waiting = asyncio.Event()

        async def __call__(self, run: Run) -> Done:
            for number in range(self.done + 1):
                await said(run, f"{number}", Delta(text=f"{number}"))
            assert isinstance(run, StepRun)
            await run.journal.stored()
            self.waiting.set()
            await asyncio.Event().wait()
            raise AssertionError

    for number in range(rounds):
        script = Stuck(number)
        host = await start_host(hosted(script), alive=False)
        if number == 0:
            await begin(host, asked)
        following = asyncio.create_task(answer(host, asked))
        await until(script.waiting.is_set, "the next host works on it")
        following.cancel()
    last = await start_host(hosted(at_once))
    whole = await answer(last, asked)
    assert whole[-1].event.type == "done"
    assert [event.json["text"] for event in whole if event.event.type == "delta"] == ["0", "1", "2", "3", "Why?"]
    assert [event.json["discard"] for event in whole if event.event.type == "restarted"] == [[]] * rounds


async def test_another_revision_starts_afresh(start_host: StartHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.2)

    async def stuck(run: Run) -> Done:
        await said(run, "answer", Delta(text="old"))
        await asyncio.Event().wait()
        raise AssertionError

    old = await start_host(hosted(stuck), alive=False)
    asked = ask()
    await begin(old, asked)
    assert types(await answer_so_far(old, asked, count=2)) == ["started", "delta"]
    new = await start_host(hosted(at_once, request_timeout_seconds=31))
    whole = await answer(new, asked)
    assert types(whole) == ["started", "delta", "restarted", *SHORT]
    assert whole[2].json["discard"] == ["answer"]


async def test_a_heartbeat_keeps_a_slow_run(start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway_runtime.host.lifecycle.BEAT_SECONDS", 0.05)
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


async def test_what_the_first_attempt_stored_last_is_seen_too(
    start_host: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host stores events after its heir looked at the run, and before the heir took it over."""
    first, asked = await left_behind(start_host, monkeypatch, lease=-1.0)
    second = await start_host(hosted(at_once))
    take_over = leases.take_over

    async def late(*arguments: Any, **options: Any) -> Work | None:
        seen = await answer_so_far(first, asked, count=3)
        assert types(seen) == ["started", "retrieved", "delta"]
        taken: Work | None = await take_over(*arguments, **options)
        return taken

    monkeypatch.setattr(leases, "take_over", late)
    assert types(await answer(second, asked)) == ["started", "retrieved", "delta", "restarted", *SHORT]


async def answer_so_far(host: Host, asked: NewRun, *, count: int) -> list[NumberedEvent]:
    """The first events of a run that has not ended."""
    seen: list[NumberedEvent] = []
    async with aclosing(host.runs.follow(asked.run_id, agent=AGENT, caller=asked.caller)) as events:
        async for event in events:
            seen.append(event)
            if len(seen) == count:
                break
    return seen
