"""Questions whose host, gateway or connection is killed at a random moment, over each protocol."""

import asyncio
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import aiohttp

from slipway_runtime.events import Done, Failed
from slipway_runtime.problems import Reason
from slipway_runtime.store.database import Database, Row
from slipway_runtime.store.steps import read_records
from tests.support.ag_ui import asks, shown, user
from tests.support.ag_ui import events as ag_ui_events
from tests.support.chaos_agents import AGENTS
from tests.support.chaos_model import ChaosModel
from tests.support.chaos_processes import Killable, acts
from tests.support.chat import STREAM, Transcript, events
from tests.support.waiting import until

Victim = Literal["host", "gateway", "connection"]
VICTIMS: Sequence[Victim] = ("host", "host", "gateway", "connection")
"""A host is as likely as the others together."""
ANSWERED, LEFT = "answered", "cancelled by its client"
ERRORS = frozenset((Reason.UNKNOWN_OUTCOME.value, "answer_restarted"))
"""What an answer may fail with: a tool that must not run twice may have run, or text that was sent is void."""
MOST_REQUESTS = 4
"""To the model, before something dies."""
LONGEST_PAUSE = 0.3
WORKING = "SELECT owner FROM runs WHERE outcome IS NULL ORDER BY id"
REPEATED = re.compile(rb"^slipway_model_calls_repeated_total\{.*\} ([0-9.]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Point:
    """A question, and what dies while it is answered."""

    agent: str
    protocol: str
    victim: Victim
    requests: int
    """What dies does so once the model was asked so often,"""
    pause: float
    """and so many seconds more have passed."""


class RunHistory(NamedTuple):
    """What the store has of a run's steps."""

    attempts: int
    made_again: tuple[str, ...]
    """Steps that have a second outcome, though the first one was stored and nothing made it void."""
    log: tuple[str, ...]
    """The records in their order, for people."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "RunHistory":
        """From the rows of `events`, in their order."""
        finished: set[str] = set()
        again: list[str] = []
        log: list[str] = []
        for row in rows:
            log.append(f"attempt {row['attempt']!r}, events {[each['type'] for each in json.loads(str(row['batch']))]}")
            for record in read_records(row):
                log.append(f"{record.state} {record.key}")
                if record.state == "discarded":
                    finished.discard(record.key)
                elif record.finished:
                    again += [record.key] if record.key in finished else []
                    finished.add(record.key)
        return cls(max(int(row["attempt"] or 0) for row in rows), tuple(again), tuple(log))


class Left(Exception):
    """A client left a protocol in which that cancels the run."""


@dataclass
class Chaos:
    """What is killed, and what is counted."""

    client: aiohttp.ClientSession
    gateway: Killable
    hosts: dict[str, Killable]
    metrics: dict[str, str]
    """URL by host."""
    model: ChaosModel
    database: Database
    diary: Path
    namespace: str
    random: random.Random
    outcomes: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    counted: float = 0.0
    """Repeated model calls, by the metric of hosts that were killed since."""
    repeated: int = 0
    """The same as the model saw it."""

    def point(self, agent: str, protocol: str) -> Point:
        """A moment of an answer."""
        return Point(
            agent,
            protocol,
            self.random.choice(VICTIMS),
            self.random.randint(1, MOST_REQUESTS),
            self.random.uniform(0, LONGEST_PAUSE),
        )

    async def survive(self, point: Point) -> None:
        """Ask, kill, and see that there is one answer or a reason why there is none."""
        for each in (*self.hosts.values(), self.gateway):
            await each.ready(self.client)
        mark = f"point-{self.random.randbytes(4).hex()}"
        ask = PROTOCOLS[point.protocol](self, point.agent, mark)
        asking = asyncio.create_task(self._patiently(ask))
        await until(lambda: asking.done() or self.model.made(mark) >= point.requests, f"{point} is under way")
        await asyncio.sleep(point.pause)
        await self._strike(point, asking)
        outcome = await self._outcome(ask, asking, leaves=point.protocol.startswith(("OpenAI", "AG-UI")))
        assert outcome in (ANSWERED, LEFT) or outcome in ERRORS, (point, outcome)
        self.outcomes[point.protocol][outcome] += 1
        async with asyncio.timeout(60):
            while await self.database.fetch(WORKING):  # noqa: ASYNC110 (only the store knows)
                await asyncio.sleep(0.05)
        repeated = self.model.repeated(mark)
        histories = await self._histories(mark)
        for history in histories:
            assert not history.made_again, (point, "a call whose answer was stored was made again", history)
        taken_over = sum(history.attempts - 1 for history in histories)
        assert bool(repeated) <= bool(taken_over), (point, "a call was made again though no run was taken over")
        self.repeated += repeated

    async def _histories(self, mark: str) -> list[RunHistory]:
        """The runs of a question, those of agents that were asked for it too."""
        runs = await self.database.fetch("SELECT id FROM runs WHERE ask LIKE $1", f"%{mark}%")
        rows = "SELECT attempt, batch, steps FROM events WHERE run_id = $1 ORDER BY attempt, number"
        return [RunHistory.of(await self.database.fetch(rows, run["id"])) for run in runs]

    async def _strike(self, point: Point, asking: "asyncio.Task[str]") -> None:
        if point.victim == "connection":
            asking.cancel()
        elif point.victim == "gateway":
            self.gateway.kill()
            self.gateway.start_again()
        elif working := await self.database.fetch(WORKING):
            name = str(self.random.choice(working)["owner"]).partition("/")[0]
            self.counted += await self._count(name)
            self.hosts[name].kill()
            self.hosts[name].start_again()

    async def _outcome(self, ask: Callable[[], Awaitable[str]], asking: "asyncio.Task[str]", *, leaves: bool) -> str:
        with suppress(asyncio.CancelledError):
            return await asking
        return LEFT if leaves else await self._patiently(ask)

    async def _patiently(self, ask: Callable[[], Awaitable[str]]) -> str:
        """Ask again where the connection broke."""
        while True:
            try:
                return await ask()
            except aiohttp.ClientError:
                await self.gateway.ready(self.client)

    async def _count(self, host: str) -> float:
        async with self.client.get(self.metrics[host]) as response:
            return sum(float(found) for found in REPEATED.findall(await response.read()))

    async def one_answer(self, agent: str, run: str, answer: str) -> str:
        """See that a run has this answer, whoever asks, and that nothing in it is there twice."""
        async with self.client.get(f"/agents/{self.namespace}/{agent}/runs/{run}") as response:
            assert (response.status, (await response.json())["answer"]) == (200, answer)
        sentences = [each.split(" [")[0] for each in re.split(r"(?<=\.)\s+", answer)]
        assert len(sentences) == len(set(sentences)), answer
        return ANSWERED

    async def report(self) -> str:
        """What is printed."""
        for host in self.hosts:
            self.counted += await self._count(host)
        lines = []
        for protocol, outcomes in sorted(self.outcomes.items()):
            failed = {name: times for name, times in outcomes.items() if name != ANSWERED}
            lines.append(f"{protocol}: answered {outcomes[ANSWERED]}, errored {sum(failed.values())} {failed or ''}")
        ran = Counter(acts(self.diary))
        lines.append(f"model calls repeated: {self.repeated} (slipway_model_calls_repeated: {self.counted:g})")
        lines.append(
            f"tools that must not run twice: {len(ran)} calls, at most {max(ran.values(), default=0)} time each"
        )
        return "\n".join(lines)


def question(mark: str) -> str:
    """Each agent knows the answer."""
    return f"How is tea brewed? {mark}"


def chat_at_once(chaos: Chaos, agent: str, mark: str) -> Callable[[], Awaitable[str]]:
    """JSON; whoever asks again gets the same answer."""

    async def ask() -> str:
        body, headers = {"question": question(mark)}, {"Idempotency-Key": mark}
        async with chaos.client.post(f"/agents/{chaos.namespace}/{agent}/chat", json=body, headers=headers) as response:
            answer = await response.json(content_type=None)
        if response.status != 200:
            return str(answer["reason"])
        return await chaos.one_answer(agent, answer["run_id"], answer["answer"])

    return ask


def chat_streamed(chaos: Chaos, agent: str, mark: str) -> Callable[[], Awaitable[str]]:
    """A stream that goes on where it was left."""
    seen = Transcript()

    def asked() -> Any:
        headers, path = {**STREAM, "Idempotency-Key": mark}, f"/agents/{chaos.namespace}/{agent}"
        if not seen.events:
            return chaos.client.post(f"{path}/chat", json={"question": question(mark)}, headers=headers)
        headers["Last-Event-ID"] = str(seen.ids[-1])
        return chaos.client.get(f"{path}/runs/{seen.ids[0].run}", headers=headers)

    async def ask() -> str:
        if not (seen.events and isinstance(seen.last, Done | Failed)):
            async with asked() as response:
                assert response.status == 200, await response.text()
                async for each in events(response):
                    seen.events.append(each)
        if isinstance(seen.last, Failed):
            return seen.last.reason
        if not isinstance(seen.last, Done):
            raise aiohttp.ClientPayloadError("the stream ended before the answer did")
        seen.assert_whole(seen.last.answer)
        return await chaos.one_answer(agent, seen.ids[0].run, seen.text)

    return ask


def openai_at_once(chaos: Chaos, agent: str, mark: str) -> Callable[[], Awaitable[str]]:
    """A completion."""

    async def ask() -> str:
        async with _complete(chaos, agent, mark, stream=False) as response:
            body = await response.json(content_type=None)
        if response.status != 200:
            return str(body["error"]["code"])
        return await chaos.one_answer(agent, body["slipway"]["run_id"], body["choices"][0]["message"]["content"])

    return ask


def openai_streamed(chaos: Chaos, agent: str, mark: str) -> Callable[[], Awaitable[str]]:
    """A completion in chunks, all of which stand."""

    async def ask() -> str:
        text, run = "", ""
        async with _complete(chaos, agent, mark, stream=True) as response:
            if response.status != 200:
                return str((await response.json(content_type=None))["error"]["code"])
            async for line in response.content:
                if line == b"data: [DONE]\n":
                    return await chaos.one_answer(agent, run, text)
                if not line.startswith(b"data: "):
                    continue
                chunk = json.loads(line[6:])
                if "error" in chunk:
                    return str(chunk["error"]["code"])
                run = chunk["id"].removeprefix("chatcmpl-")
                text += "".join(each["delta"].get("content") or "" for each in chunk["choices"])
        raise aiohttp.ClientPayloadError("the stream ended before the answer did")

    return ask


def ag_ui(chaos: Chaos, agent: str, mark: str) -> Callable[[], Awaitable[str]]:
    """A run of AG-UI. Text that becomes void is taken back, and whoever asks again attaches to the run."""

    async def ask() -> str:
        body = asks(user(question(mark)), run=mark, thread=mark)
        async with chaos.client.post(f"/agents/{chaos.namespace}/{agent}/ag-ui", json=body) as response:
            if response.status != 200:
                return str((await response.json(content_type=None))["reason"])
            seen = [event async for event in ag_ui_events(response)]
        last = seen[-1]
        if last["type"] == "RUN_ERROR":
            return str(last["code"])
        if last["type"] != "RUN_FINISHED":
            raise aiohttp.ClientPayloadError("the stream ended before the answer did")
        return await chaos.one_answer(agent, last["result"]["run_id"], shown(seen))

    return ask


def _complete(chaos: Chaos, agent: str, mark: str, *, stream: bool) -> Any:
    body = {
        "model": f"{chaos.namespace}/{agent}",
        "messages": [{"role": "user", "content": question(mark)}],
        "stream": stream,
    }
    return chaos.client.post("/v1/chat/completions", json=body, headers={"Idempotency-Key": mark})


PROTOCOLS: dict[str, Callable[[Chaos, str, str], Callable[[], Awaitable[str]]]] = {
    "chat JSON": chat_at_once,
    "chat stream": chat_streamed,
    "OpenAI JSON": openai_at_once,
    "OpenAI stream": openai_streamed,
    "AG-UI": ag_ui,
}
PAIRS = [(agent, protocol) for protocol in PROTOCOLS for agent in AGENTS]
