"""Members of an orchestrator that are elsewhere: chosen by what their cards say, and asked by A2A."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from slipway_crds.runtimeconfig import AgentBindings, AgentConfig, HeaderBinding
from slipway_runtime.agents.calling import AgentCalls, CallFailed, MemberDescription
from slipway_runtime.agents.forwarding import AgentCall
from slipway_runtime.agents.remote_agents import RemoteAgent, bound_headers
from slipway_runtime.protocols.ask import Ask
from slipway_runtime.run import Run

ARCHITECTURE = "a2a"
"""What stands for the architecture of an agent elsewhere."""
READ_SECONDS = 3.0
"""A card that takes longer cannot be read: the decision waits for it."""
UNREAD_SECONDS = 10.0
"""How long a card that could not be read is not asked for again."""
DESCRIPTION_CHARACTERS = 1024
SKILLS = 16
WORD_CHARACTERS = 64


class RemoteMembers:
    """The agents elsewhere that an orchestrator may choose."""

    def __init__(self, config: AgentConfig, bindings: Callable[[], AgentBindings] = AgentBindings) -> None:
        self._namespace = config.namespace
        self._agents = {
            each.name: RemoteAgent(each.url, bound_headers(partial(_bound, bindings, each.name)))
            for each in config.remote_members
        }
        self._unread: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._agents

    def __bool__(self) -> bool:
        return bool(self._agents)

    async def described(self) -> tuple[MemberDescription, ...]:
        """What their cards say. One whose card cannot be read is not ready."""
        return tuple(await asyncio.gather(*(self._described(name) for name in self._agents)))

    def call(self, run: Run, name: str, ask: Ask, *, key: str) -> AgentCall:
        """What asks one. It gets the question alone: A2A has no place for turns with others, and for settings."""
        return self._agents[name].call(ask, key=f"{run.id}/{key}", name=f"{self._namespace}/{name}")

    async def close(self) -> None:
        """Close all connections."""
        for each in self._agents.values():
            await each.close()

    async def _described(self, name: str) -> MemberDescription:
        unread = self._unread.get(name)
        if unread is None or time.monotonic() - unread > UNREAD_SECONDS:
            try:
                async with asyncio.timeout(READ_SECONDS):
                    card = await self._agents[name].card()
                self._unread.pop(name, None)
                return description_of(name, card)
            except (CallFailed, TimeoutError):
                self._unread[name] = time.monotonic()
        return MemberDescription(name=name, ready=False, architecture=ARCHITECTURE)


def _bound(bindings: Callable[[], AgentBindings], name: str) -> Sequence[HeaderBinding]:
    return bindings().remote_members.get(name, ())


async def all_members(run: Run, calls: AgentCalls, remote: RemoteMembers) -> tuple[MemberDescription, ...]:
    """All agents that an orchestrator may choose for a run, sorted by name.

    Raises:
        CallFailed: if the gateway does not say which ones are here.
    """
    only_remote = bool(remote) and run.request.grant is None
    here = () if only_remote else await calls.members(run)
    elsewhere = await remote.described()
    return tuple(sorted((*here, *elsewhere), key=lambda member: member.name))


def description_of(name: str, card: Mapping[str, Any]) -> MemberDescription:
    """What a card says, bounded: its description and those of its skills, and the tags of its skills."""
    skills = [each for each in _list(card.get("skills")) if isinstance(each, Mapping)][:SKILLS]
    sentences = [_text(each.get("description")) for each in (card, *skills)]
    tags = [_text(tag)[:WORD_CHARACTERS] for skill in skills for tag in _list(skill.get("tags"))]
    return MemberDescription(
        name=name,
        ready=True,
        architecture=ARCHITECTURE,
        description=" ".join(filter(None, dict.fromkeys(sentences)))[:DESCRIPTION_CHARACTERS],
        capabilities=tuple(filter(None, dict.fromkeys(tags)))[:SKILLS],
    )


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _text(value: object) -> str:
    return " ".join(value[:DESCRIPTION_CHARACTERS].split()) if isinstance(value, str) else ""
