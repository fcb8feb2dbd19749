"""Members of an orchestrator that do as the test says, and a host that serves the orchestrator."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from slipway_crds.runtimeconfig import AgentConfig, ModelConfig, RemoteMember
from slipway_runtime.agents.calling import AgentCalls
from slipway_runtime.agents.choosing import Chooser
from slipway_runtime.agents.orchestrator import OrchestratorAgent
from slipway_runtime.events import Delta, Done, RetrievalUsage, Usage
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.knowledge.embedding.embedder import Embedder
from slipway_runtime.models.agent_models import Models
from slipway_runtime.run import Emit, Run
from tests.support.scripted_host import Options, config

Play = Callable[[Run], Awaitable[Done]]


@dataclass
class Actor:
    """An agent that does what it is told to, and keeps what it was asked."""

    play: Play
    honours: frozenset[str] = frozenset(("data",))
    asked: list[Run] = field(default_factory=list)

    async def run(self, run: Run) -> Done:
        self.asked.append(run)
        return await self.play(run)

    async def missing(self) -> list[str]:
        return []


async def say(run: Run, pieces: Sequence[str]) -> None:
    """A step that says these pieces and uses one embedding."""

    async def do(emit: Emit) -> None:
        for piece in pieces:
            emit(Delta(text=piece))
        emit(Usage(retrieval=RetrievalUsage(chunks=0, embedded_texts=1)))

    await run.step("answer", do)


def answers(*pieces: str) -> Play:
    async def play(run: Run) -> Done:
        await say(run, pieces)
        return Done(answer="".join(pieces), finish="stop", sources=())

    return play


def abstains(*pieces: str) -> Play:
    async def play(run: Run) -> Done:
        await say(run, pieces)
        return Done(answer="I do not know.", finish="abstained", sources=())

    return play


def fails(*pieces: str) -> Play:
    async def play(run: Run) -> Done:
        await say(run, pieces)
        raise ValueError("broken")

    return play


async def hangs(_: Run) -> Done:
    await asyncio.Event().wait()
    raise AssertionError


async def waits(run: Run) -> Done:
    await run.ask("go", "approval", prompt="Go on?")
    raise AssertionError


def lead_config(
    options: Options, *, models: tuple[ModelConfig, ...] = (), remote: tuple[RemoteMember, ...] = ()
) -> AgentConfig:
    """The orchestrator `demo/lead`."""
    changed = {"architecture": "orchestrator", "models": models, "remote_members": remote}
    return config("demo/lead", options).model_copy(update=changed)


def orchestrator(made: AgentConfig, gateway_url: str, embedder: Embedder, stack: AsyncExitStack) -> HostedAgent:
    """A hosted orchestrator that asks through this gateway."""
    calls = AgentCalls(gateway_url)
    stack.push_async_callback(calls.close)
    models = Models(made) if made.models else None
    agent = OrchestratorAgent(made, calls=calls, chooser=Chooser(made, embedder=embedder, models=models))
    stack.push_async_callback(agent.close)
    return HostedAgent(made, agent)


def add(host: Host, *agents: HostedAgent) -> None:
    """Let a host serve these too."""
    host.serve([*host.runs.agents.values(), *agents])


def member(name: str, actor: Actor, options: Options) -> HostedAgent:
    """`demo/NAME`, played by an actor."""
    return HostedAgent(config(f"demo/{name}", options), actor)
