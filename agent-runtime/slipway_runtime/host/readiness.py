"""What a host still lacks, in sentences that a person can act on."""

import asyncio
import time
from collections.abc import Callable, Mapping

from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.model_watch import ModelWatch
from slipway_runtime.plugins.middleware.guarded_agent import GuardedAgent
from slipway_runtime.store.database import Database, StoreUnavailable

CHECK_SECONDS = 2.0
"""How long one check may take."""
KEEP_SECONDS = 0.5
"""How long a result is good for, so that many probes are not many checks."""


class HostReadiness:
    """Finds out what is missing: the store, then whatever the agents say, and models that can be used.

    Args:
        agents: gives the agents that are served now, by `namespace/name`.
        draining: whether the host takes no more questions.
    """

    def __init__(
        self, database: Database, *, agents: Callable[[], Mapping[str, HostedAgent]], draining: Callable[[], bool]
    ) -> None:
        self._database = database
        self._agents = agents
        self._draining = draining
        self._result: list[str] = []
        self._lacks: dict[str, list[str]] = {}
        self._models = ModelWatch()
        self._checked = float("-inf")
        self._checking = asyncio.Lock()

    async def missing(self) -> list[str]:
        """What is not there yet; empty when the host can answer."""
        if self._draining():
            return ["the pod is shutting down and finishes what it has"]
        await self._refresh()
        return self._result

    def warnings(self) -> list[str]:
        """What is wrong with the agents' models and tools, whether or not the host can answer without them."""
        return [sentence for hosted in self._agents().values() for sentence in self._wrong(hosted)]

    def _wrong(self, hosted: HostedAgent) -> list[str]:
        return [*(self._models.problems(hosted) or []), *self._models.service_problems(hosted)]

    def plugin_warnings(self) -> list[str]:
        """Which plugins around the agents' answers are not there, or failed lately."""
        guarded = (hosted.agent for hosted in self._agents().values())
        return [each for agent in guarded if isinstance(agent, GuardedAgent) for each in agent.plugin_problems()]

    async def can_answer(self, agent: str) -> bool:
        """Whether nothing is missing for this agent, whatever the others lack."""
        if self._draining():
            return False
        await self._refresh()
        return not self._lacks.get(agent, self._result)

    async def _refresh(self) -> None:
        async with self._checking:
            if time.monotonic() - self._checked > KEEP_SECONDS:
                self._lacks = {}
                self._result = await self._check()
                self._checked = time.monotonic()

    async def _check(self) -> list[str]:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._database.fetch("SELECT 1 AS one")
                agents = self._agents()
                lacks = await asyncio.gather(*(_lacking(hosted) for hosted in agents.values()))
                self._lacks = {
                    name: [*lacking, *self._unusable(agents[name])] for name, lacking in zip(agents, lacks, strict=True)
                }
                return [sentence for sentences in self._lacks.values() for sentence in sentences]
        except StoreUnavailable as error:
            return [f"the store: {error}"]
        except TimeoutError:
            return [f"an answer from the store or the indexes within {CHECK_SECONDS:g} seconds"]

    def _unusable(self, hosted: HostedAgent) -> list[str]:
        """Why an agent has no model to ask; nothing if one can be used."""
        problems = self._models.problems(hosted)
        if problems is None:
            return ["a first look at the models, which takes some seconds"]
        # With all that is reported of them, so that the operator finds the warnings among what is missing.
        return self._wrong(hosted) if len(problems) >= len(hosted.config.models) else []


async def _lacking(hosted: HostedAgent) -> list[str]:
    sessions = await hosted.sessions.missing() if hosted.sessions is not None else []
    return [*sessions, *await hosted.agent.missing()]
