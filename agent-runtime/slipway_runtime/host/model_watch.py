"""What is wrong with the models of agents and the services of their tools: keys and models that are not there.

Providers are asked in the background, so that no probe waits for one of them.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field

from slipway_runtime.agents.protocol import UsesModels, UsesServices
from slipway_runtime.host.hosted import HostedAgent

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""How old the last look may be."""
LONGEST_LOOK_SECONDS = 15.0


@dataclass
class _Looked:
    """The last look at an agent's models, and the one under way."""

    problems: list[str] | None = None
    of_services: list[str] = field(default_factory=list)
    at: float = float("-inf")
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class ModelWatch:
    """Looks at the models of the agents that it is asked about."""

    def __init__(self) -> None:
        self._looked: dict[str, tuple[HostedAgent, _Looked]] = {}

    def problems(self, hosted: HostedAgent) -> list[str] | None:
        """What the last look found, a sentence for each model that cannot be used; None before the first has ended.

        Starts another look if that one is old.
        """
        if not hosted.config.models or not isinstance(hosted.agent, UsesModels):
            return []
        known, looked = self._looked.get(hosted.key, (None, _Looked()))
        if known is not hosted:
            looked = _Looked()
            self._looked[hosted.key] = hosted, looked
        if looked.task is None and time.monotonic() - looked.at > LOOK_SECONDS:
            looked.task = asyncio.create_task(self._look(hosted.agent, hosted.key, looked))
        return looked.problems

    def service_problems(self, hosted: HostedAgent) -> list[str]:
        """What the same look found, a sentence for each service of the tools that cannot be used."""
        known, looked = self._looked.get(hosted.key, (None, _Looked()))
        return looked.of_services if known is hosted else []

    async def _look(self, agent: UsesModels, key: str, looked: _Looked) -> None:
        try:
            async with asyncio.timeout(LONGEST_LOOK_SECONDS):
                looked.problems = await agent.model_problems()
                looked.of_services = await agent.service_problems() if isinstance(agent, UsesServices) else []
        except Exception as error:  # noqa: BLE001 (whatever a provider's library raises, a question may still succeed)
            log.warning("the models of %s could not be looked at: %r", key, error)
            looked.problems = looked.problems or []
        finally:
            looked.at, looked.task = time.monotonic(), None
