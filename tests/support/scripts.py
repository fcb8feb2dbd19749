"""Agents that do what a test says, and what tests of hosts ask and look at."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.events import Delta, Done, Event, EventId, NumberedEvent, RetrievalUsage, Retrieved, Usage, ends
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.new_run import NewRun
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.protocols.ask import Ask, TextPart
from slipway_runtime.run import AgentRequest, Emit, Run

AGENT = "demo/support"
SIGNER = IdentitySigner.from_seed(bytes(range(32)))
Script = Callable[[Run], Awaitable[Done]]
StartHost = Callable[..., Awaitable[Host]]
WHOLE = ["started", "retrieved", "delta", "delta", "usage", "done"]
"""What is seen of `Gated`."""
SHORT = ["started", "retrieved", "delta", "usage", "done"]
"""What is seen of `at_once`."""


async def said(run: Run, key: str, *events: Event) -> None:
    """A step that emits these events."""

    async def do(emit: Emit) -> None:
        for event in events:
            emit(event)

    await run.step(key, do)


class Scripted:
    """An agent that runs a script; it counts how often, and how often it was looked at whether it can."""

    def __init__(self, script: Script, honours: frozenset[str] = frozenset(("data",))) -> None:
        self.honours = honours
        self.script = script
        self.asked: list[AgentRequest] = []
        self.lacks: list[str] = []
        self.looked = 0

    async def run(self, run: Run) -> Done:
        self.asked.append(run.request)
        return await self.script(run)

    async def missing(self) -> list[str]:
        self.looked += 1
        return self.lacks


class Gated:
    """A script that says `a`, waits until it is let go, and says `b`."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()

    async def __call__(self, run: Run) -> Done:
        await run.step("answer", self._answer)
        return Done(answer="ab", finish="stop", sources=())

    async def _answer(self, emit: Emit) -> None:
        emit(Retrieved(chunks=1, best_score=0.5))
        emit(Delta(text="a"))
        self.waiting.set()
        await self.gate.wait()
        emit(Delta(text="b"))
        emit(Usage(retrieval=RetrievalUsage(chunks=1, embedded_texts=1)))


async def at_once(run: Run) -> Done:
    """A script that answers with the question, without a pause."""
    text, usage = Delta(text=run.request.question), Usage(retrieval=RetrievalUsage(chunks=1, embedded_texts=1))
    await said(run, "answer", Retrieved(chunks=1, best_score=0.5), text, usage)
    return Done(answer=run.request.question, finish="stop", sources=())


def hosted(script: Script | None, **limits: int) -> HostedAgent:
    """The agent `demo/support`, saying what the script says (without one it is there for its configuration)."""
    namespace, name = AGENT.split("/")
    defaults = {"session_ttl_seconds": 600, "session_max_turns": 5, "in_flight": 10, "request_timeout_seconds": 30}
    config = AgentConfig.model_validate(
        {"namespace": namespace, "name": name, "architecture": "langgraph", "knowledge": (), **defaults, **limits}
    )
    return HostedAgent(config, Scripted(script or at_once))


_run_ids = itertools.count(1)


def ask(
    question: str = "Why?",
    *,
    caller: str = "alice",
    session_id: str | None = None,
    keeps_session: bool = True,
    wait: float = 0.0,
) -> NewRun:
    """A question with a run id of its own."""
    asked = Ask(parts=(TextPart(text=question),), session=session_id)
    return NewRun(f"{next(_run_ids):032x}", caller, asked, keeps_session=keeps_session, wait=wait)


async def gather(events: AsyncGenerator[NumberedEvent]) -> list[NumberedEvent]:
    """All events of a stream; that the last one and no other is terminal is checked."""
    gathered = [event async for event in events]
    assert [ends(numbered.event) for numbered in gathered] == [False] * (len(gathered) - 1) + [True]
    return gathered


def types(events: list[NumberedEvent]) -> list[str]:
    """`started`, `delta` and so on."""
    return [numbered.event.type for numbered in events]


async def begin(host: Host, asked: NewRun) -> None:
    """Ask a host."""
    await host.runs.begin(host.runs.agents[AGENT], asked)


async def answer(host: Host, asked: NewRun, *, after: EventId | None = None, watch: bool = True) -> list[NumberedEvent]:
    """All events of a run after a place."""
    return await gather(host.runs.follow(asked.run_id, agent=AGENT, caller=asked.caller, after=after, watch=watch))


def asked_of(host: Host) -> list[AgentRequest]:
    """What a host has asked its agent."""
    agent = host.runs.agents[AGENT].agent
    assert isinstance(agent, Scripted)
    return agent.asked
