"""A run whose host dies at a commit, and which a second host ends: what was there before and what came of it."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from slipway_runtime.agents.steps import StepRun
from slipway_runtime.events import Delta, Discarded, InputRequired, NumberedEvent, Restarted, ends
from slipway_runtime.host import runs
from slipway_runtime.host.interventions import Giving, give
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.new_run import NewRun
from slipway_runtime.protocols.transcript import Transcript
from slipway_runtime.run import Run
from slipway_runtime.store.database import Database
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.steps import StepRecord, read_records
from tests.support.dying_database import DyingDatabase
from tests.support.scripts import AGENT, Script, StartHost, ask, begin, hosted


class Process:
    """What the agent of one host does its work in; it stops when the host dies.

    Args:
        ran: counts what was done, by all hosts together.
    """

    def __init__(self, ran: Counter[str], dead: asyncio.Event) -> None:
        self.ran = ran
        self.dead = dead

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


@dataclass(frozen=True)
class Killed:
    """A run that was ended by another host."""

    died: bool
    """Whether the first host was killed before it was done."""
    before: dict[str, StepRecord]
    """The last record of each step when the first host died."""
    after: dict[str, StepRecord]
    ran_before: Counter[str]
    ran: Counter[str]
    events: list[NumberedEvent]

    @property
    def finished(self) -> list[str]:
        """Steps that had an outcome when the first host died."""
        return [key for key, record in self.before.items() if record.finished]

    @property
    def unknown(self) -> bool:
        """Whether a step that must not be repeated had begun and had no outcome."""
        return any(record.never and not record.finished for record in self.before.values())


async def driven(host: Host, asked: NewRun) -> list[NumberedEvent]:
    """Ask, approve what is asked for, and follow to the end, as one client with one request each."""
    await begin(host, asked)
    seen: list[NumberedEvent] = []
    async for event in host.runs.follow(asked.run_id, agent=AGENT, caller="alice"):
        seen.append(event)
        if isinstance(event.event, InputRequired):
            giving = Giving(asked.run_id, event.event.id, "alice", (), approved=True, answer=None, request="1")
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
            case Restarted(discard=void) | Discarded(steps=void):
                for step in void:
                    texts.pop(step, None)
            case _:
                pass
    return texts


async def kill(
    start_host: StartHost,
    dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    script: Callable[[Process], Script],
    *,
    at: int,
    after: bool,
) -> Killed:
    """Kill the first host at a commit, and let the second one end the run. What must always hold is checked."""
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.2)
    store = DyingDatabase(await open_database(dsn), at=at, after=after)
    ran: Counter[str] = Counter()
    first = await start_host(hosted(script(Process(ran, store.dead))), alive=False, database=store)
    second = await start_host(hosted(script(Process(ran, asyncio.Event()))))
    asked = ask()
    client, dead = asyncio.create_task(driven(first, asked)), asyncio.create_task(store.dead.wait())
    await asyncio.wait({client, dead}, return_when=asyncio.FIRST_COMPLETED)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 30.0)
    before, ran_before = await recorded(second.database), Counter(ran)
    whole = await driven(second, asked)
    for task in (client, dead):
        task.cancel()
    store.buried.set()
    killed = Killed(store.dead.is_set(), before, await recorded(second.database), ran_before, ran, whole)
    await second.database.execute("DELETE FROM runs")
    check_stream(whole)
    assert {key: killed.after[key] for key in killed.finished} == {key: before[key] for key in killed.finished}
    return killed


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
