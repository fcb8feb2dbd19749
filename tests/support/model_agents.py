"""Agents with models, whose provider is a scripted server, and runs of them without a host."""

from collections.abc import Sequence
from typing import Any

from slipway_crds.runtimeconfig import AgentConfig, KnowledgeConfig
from slipway_runtime.agents.factory import AgentDependencies, make_agent
from slipway_runtime.agents.protocol import Agent, close
from slipway_runtime.agents.steps import MemoryJournal, StepRun
from slipway_runtime.events import Delta, Discarded, Done, Event
from slipway_runtime.run import AgentRequest
from tests.support.knowledge import Knowledge
from tests.support.model_server import ModelServer
from tests.support.models import entry as model_entry

RUN = "0" * 32
MADE: list[Agent] = []


def thinker(
    knowledge: Knowledge,
    server: ModelServer,
    *,
    architecture: str = "pydantic-ai",
    indexes: Sequence[KnowledgeConfig] = (),
    model: dict[str, Any] | None = None,
    **fields: Any,
) -> Agent:
    """An agent of an architecture, with one model of the server."""
    config = AgentConfig(
        namespace=knowledge.namespace,
        name="thinker",
        architecture=architecture,
        knowledge=tuple(indexes),
        session_ttl_seconds=60,
        session_max_turns=5,
        in_flight=2,
        request_timeout_seconds=30,
        models=(model_entry(server, **(model or {})),),
        **fields,
    )
    made = make_agent(config, dependencies_of(knowledge))
    MADE.append(made)
    return made


def dependencies_of(knowledge: Knowledge) -> AgentDependencies:
    """What agents are made of, over the knowledge of a test."""
    return AgentDependencies(
        database=knowledge.database, embedder=knowledge.embedder, vectors=lambda *_: knowledge.vectors
    )


async def close_all() -> None:
    """Close the connections of all agents that were made since the last call."""
    while MADE:
        await close(MADE.pop())


async def ask(agent: Agent, question: str, **request: Any) -> tuple[Done, list[Event]]:
    """The answer, and the events before it."""
    journal = MemoryJournal()
    done = await agent.run(StepRun(AgentRequest(question, **request), journal, id=RUN, agent="demo/thinker"))
    return done, journal.events


def shown(events: Sequence[Event]) -> str:
    """The text that a client has at the end."""
    kept: list[Delta] = []
    for event in events:
        if isinstance(event, Delta) and event.channel == "answer":
            kept.append(event)
        elif isinstance(event, Discarded):
            kept = [each for each in kept if each.step not in event.steps]
    return "".join(each.text for each in kept)
