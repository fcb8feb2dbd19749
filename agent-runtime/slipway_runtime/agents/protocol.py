"""What an agent is to a host: something that turns a question into events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from slipway_runtime.events import Event


@dataclass(frozen=True)
class AgentRequest:
    """One question."""

    question: str


class Agent(Protocol):
    """An agent yields `Retrieved`, `Delta`..., `Usage` and at the end `Done`; it raises for what it cannot handle.

    The host adds `Started`, numbers and commits the events, and turns an exception into `Failed`.
    """

    def run(self, request: AgentRequest) -> AsyncIterator[Event]:
        """Answer one question."""
        ...

    async def missing(self) -> list[str]:
        """What is not there yet for this agent to answer, each as a sentence for `/readyz`; empty when ready."""
        ...
