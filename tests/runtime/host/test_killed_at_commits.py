"""An agent with steps of every kind; its host dies at every commit in turn.

A second host then ends the run. Whatever the place: steps whose result is stored are not run again, what must not be
done twice is not, what a client has put together is what was recorded, and only a step that may have acted without
leaving a result makes the outcome unknown.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable

import pytest

from slipway_runtime.agents.protocol import Emit, Run, StepFailed
from slipway_runtime.agents.steps import StepRun
from slipway_runtime.events import Delta, Done, Failed, NumberedEvent, ToolCall, ToolResult, ends
from slipway_runtime.host import runs
from slipway_runtime.host.interventions import Giving, give
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.runs import NewRun
from slipway_runtime.problems import Reason
from slipway_runtime.protocols.transcript import Transcript
from slipway_runtime.store.database import Database
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.steps import StepRecord, read_records
from tests.support.dying_database import DyingDatabase
from tests.support.scripts import AGENT, StartHost, ask, begin, hosted

COMMITS = 32
"""More than the run has: the last ones kill nobody."""
SAID = ("first", "left", "right", "last")
NEVER = ("act", "again")


class Stepping:
    """A script of steps, each of which says or does something else whenever it is run.

    Args:
        ran: counts how often each step was run, by all hosts together.
        dead: once set, this host's process stops.
    """

    def __init__(self, ran: Counter[str], dead: asyncio.Event) -> None:
        self.ran = ran
        self.dead = dead

    async def __call__(self, run: Run) -> Done:
        first = await self.says(run, "first")
        left, right = await asyncio.gather(self.says(run, "left"), self.says(run, "right"))
        acted = await self.acts(run, "act")
        approved = (await run.ask("go", "approval")).approved
        again, caught = await asyncio.gather(self.acts(run, "again"), self.fails(run))
        last = await self.says(run, "last")
        said = {"first": first, "left": left, "right": right, "last": last}
        return Done(
            answer="", finish="stop", sources=(), output={**said, "done": [acted, again, caught], "approved": approved}
        )

    async def alive(self) -> None:
        """Let others go on; a dead process never comes back from here."""
        for _ in range(random.randint(1, 3)):
            await asyncio.sleep(0)
        if self.dead.is_set():
            await asyncio.Event().wait()

    async def committed(self, run: Run) -> None:
        """Wait for a commit, so that the run has many."""
        assert isinstance(run, StepRun)
        await run.journal.stored()
        await self.alive()

    async def says(self, run: Run, key: str) -> str:
        async def do(emit: Emit) -> str:
            await self.alive()
            self.ran[key] += 1
            words = [f"{key}{random.random()} " for _ in range(2)]
            for word in words:
                emit(Delta(text=word))
                await self.committed(run)
            return "".join(words)

        return await run.step(key, do, input={"key": key})

    async def acts(self, run: Run, key: str) -> float:
        async def do(emit: Emit) -> float:
            emit(ToolCall(id=key, name=key, where="server"))
            await self.alive()
            self.ran[key] += 1
            result = random.random()
            await self.committed(run)
            emit(ToolResult(id=key, name=key, where="server"))
            return result

        return await run.step(key, do, repeat="never")

    async def fails(self, run: Run) -> str:
        async def do(_: Emit) -> None:
            await self.alive()
            self.ran["fails"] += 1
            raise ValueError(random.random())

        try:
            await run.step("fails", do)
        except StepFailed as error:
            return error.message
        raise AssertionError


async def driven(host: Host, asked: NewRun) -> list[NumberedEvent]:
    """Ask, give what is asked for, and follow to the end, as one client with one request each."""
    await begin(host, asked)
    seen: list[NumberedEvent] = []
    async for event in host.runs.follow(asked.run_id, agent=AGENT, caller="alice"):
        seen.append(event)
        if event.event.type == "input_required":
            giving = Giving(asked.run_id, "go", "alice", (), approved=True, answer=None, request="1")
            await give(host.runs, host.database, host.runs.agents[AGENT], giving)
    return seen


async def recorded(database: Database) -> dict[str, StepRecord]:
    """The last record of each step."""
    rows = await database.fetch("SELECT steps FROM events ORDER BY attempt, number")
    return {record.key: record for row in rows for record in read_records(row)}


def said(events: Iterable[NumberedEvent]) -> dict[str, str]:
    """The text of each step as a client has it in the end."""
    texts: dict[str, str] = {}
    for numbered in events:
        match numbered.event:
            case Delta(step=step, text=text):
                texts[step] = texts.get(step, "") + text
            case event if event.type in ("restarted", "discarded"):
                for step in numbered.json.get("discard", ()) or numbered.json.get("steps", ()):
                    texts.pop(step, None)
            case _:
                pass
    return texts


async def killed_at(start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, *, at: int, after: bool) -> bool:
    """Kill the first host at a commit, and see that the second one ends the run. Returns whether it was killed."""
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.2)
    store = DyingDatabase(await open_database(dsn), at=at, after=after)
    ran: Counter[str] = Counter()
    first = await start_host(hosted(Stepping(ran, store.dead)), alive=False, database=store)
    second = await start_host(hosted(Stepping(ran, asyncio.Event())))
    asked = ask()
    client, dead = asyncio.create_task(driven(first, asked)), asyncio.create_task(store.dead.wait())
    await asyncio.wait({client, dead}, return_when=asyncio.FIRST_COMPLETED)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
    left, ran_before = await recorded(second.database), Counter(ran)
    whole = await driven(second, asked)
    for task in (client, dead):
        task.cancel()
    store.buried.set()
    check_stream(whole)
    finished = [key for key, record in left.items() if record.state in ("done", "failed")]
    assert {key: ran[key] for key in finished} == {key: ran_before[key] for key in finished}, "they are not run again"
    assert all(ran[key] <= 1 for key in NEVER)
    end, now = whole[-1].event, await recorded(second.database)
    assert all(now[key] == left[key] for key in finished)
    if any(record.state == "started" for record in left.values()):
        assert isinstance(end, Failed)
        assert end.reason == Reason.UNKNOWN_OUTCOME
    else:
        assert isinstance(end, Done)
        assert end.output
        assert {key: end.output[key] for key in SAID} == said(whole) == {key: now[key].value for key in SAID}
        assert end.output["done"] == [now["act"].value, now["again"].value, now["fails"].value["message"]]
        assert [each.event.type for each in whole].count("input_given") == 1
    await second.database.execute("DELETE FROM runs")
    return store.dead.is_set()


def check_stream(whole: list[NumberedEvent]) -> None:
    """Each event once, in order, with one end; every one but the first and the last belongs to a step."""
    assert [ends(each.event) for each in whole] == [False] * (len(whole) - 1) + [True]
    assert len({each.id for each in whole}) == len(whole)
    assert sorted(whole, key=lambda each: each.id[1:]) == whole
    assert all(each.json.get("step") for each in whole[:-1] if each.event.type not in ("started", "restarted"))
    gathered = Transcript()
    for each in whole:
        gathered.add(each.event)
    assert sorted(gathered.text) == sorted("".join(said(whole).values()))


@pytest.mark.parametrize(("at", "after"), [(2, True), (5, False), (9, True), (11, False), (12, True)])
async def test_a_host_dies_at_a_commit(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    assert await killed_at(start_host, dsn, monkeypatch, at=at, after=after)


@pytest.mark.deep
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
async def test_a_host_dies_at_every_commit(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    killed = [await killed_at(start_host, dsn, monkeypatch, at=at, after=after) for at in range(1, COMMITS + 1)]
    assert killed[:14] == [True] * 14
    assert not killed[-1], "raise COMMITS: the run has more"
