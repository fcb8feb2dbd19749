"""The tools of an agent's models that are run here, besides the search of its documents: other agents, plugins, and the
web."""

from collections.abc import Callable
from typing import Any

from pydantic_ai.toolsets import AbstractToolset

from slipway_crds.runtimeconfig import AgentBindings, AgentConfig
from slipway_runtime.agents import web_search
from slipway_runtime.agents.agent_tools import Askable, agent_toolset
from slipway_runtime.agents.calling import AgentCalls
from slipway_runtime.agents.plugin_tools import plugin_toolsets


class ServerTools:
    """Made once for each agent.

    Args:
        calls: the way to other agents.
        bindings: what the agent is bound to now: paths of keys.
    """

    def __init__(
        self, config: AgentConfig, *, calls: AgentCalls, bindings: Callable[[], AgentBindings] = AgentBindings
    ) -> None:
        self._config = config
        self._calls = calls
        self._askable = Askable(config.tools, calls, bindings)
        self._web = web_search.web_searcher(config.web_search, bindings) if config.web_search else None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._config.tools or self._config.plugins or self._web)

    @property
    def names(self) -> tuple[str, ...]:
        """What models call them."""
        return (*(each.name for each in self._config.tools), *([web_search.NAME] if self._web else []))

    @property
    def approved(self) -> frozenset[str]:
        """Names of the tools whose calls a person has to approve; that of the search of documents may be among them."""
        return frozenset(each.tool for each in self._config.approvals)

    @property
    def rules(self) -> str:
        """What belongs into the instructions; empty for nothing."""
        return web_search.RULES if self._web else ""

    def toolsets(self) -> list[AbstractToolset[Any]]:
        """As pydantic-ai takes them."""
        config, approved = self._config, self.approved
        made: list[AbstractToolset[Any]] = []
        if config.tools:
            made.append(agent_toolset(config.tools, self._askable, approved=approved))
        made += plugin_toolsets(config.plugins, self._calls, approved=approved)
        if self._web and self._config.web_search:
            required = self._config.web_search.required
            made.append(web_search.web_toolset(self._web, required=required, approved=web_search.NAME in self.approved))
        return made

    async def problems(self) -> list[str]:
        """Why tools cannot be used, a sentence for each with what to do: the key or the certificates of a service."""
        problem = await self._web.problem() if self._web else None
        return [problem] if problem else []

    async def close(self) -> None:
        """Close the connections to services and to agents elsewhere. Those to the gateway are the process's."""
        await self._askable.close()
        if self._web:
            await self._web.close()
