"""What an agent is to a host: something that turns a run's question into steps and an answer (see `run`)."""

from typing import Protocol, runtime_checkable

from slipway_runtime.events import Done
from slipway_runtime.run import Run

TURNS = "turns"
"""In `Agent.honours` of an agent that wants the session's former turns."""


class Agent(Protocol):
    """An agent answers within steps, which emit all of its events but the last, and returns the last one.

    It raises for what it cannot handle; the host makes `Failed` of that.
    """

    @property
    def honours(self) -> frozenset[str]:
        """What of an `Ask` it takes besides text and session (see `Ask.require_only`), and `turns` if it wants them."""
        ...

    async def run(self, run: Run) -> Done:
        """Answer one question."""
        ...

    async def missing(self) -> list[str]:
        """What is not there yet for this agent to answer, each as a sentence for `/readyz`; empty when ready."""
        ...


@runtime_checkable
class UsesModels(Protocol):
    """An agent that calls models."""

    async def model_problems(self) -> list[str]:
        """A sentence with what to do for each entry of its `models` that cannot be used now.

        That is a key that is missing or refused, or a model that does not exist; a provider that fails now and then is
        none.
        """
        ...

    async def close(self) -> None:
        """Close the connections to providers. No question is answered any more."""
        ...


@runtime_checkable
class UsesServices(Protocol):
    """An agent whose tools call services that need a key."""

    async def service_problems(self) -> list[str]:
        """A sentence with what to do for each service whose key or certificates are missing or refused."""
        ...


async def close(agent: Agent) -> None:
    """Close what an agent keeps open."""
    if isinstance(agent, UsesModels):
        await agent.close()
