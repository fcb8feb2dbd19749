"""The tools of an agent's models that are run here, besides the search of its documents: other agents, plugins, and the
web."""

from collections.abc import Callable, Collection
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset

from slipway_crds.runtimeconfig import AgentBindings, AgentConfig
from slipway_runtime.agents import web_search
from slipway_runtime.agents.agent_tools import Askable, agent_toolset
from slipway_runtime.agents.calling import AgentCalls
from slipway_runtime.agents.plugin_tools import plugin_toolsets
from slipway_runtime.models.scopes import SCOPES
from slipway_runtime.run import AgentRequest
from slipway_runtime.tool_names import MARK


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

    def rules(self, request: AgentRequest) -> str:
        """What belongs into the instructions; empty for nothing."""
        return web_search.RULES if self._web and web_search.NAME not in request.without_tools else ""

    def toolsets(self) -> list[AbstractToolset[Any]]:
        """As pydantic-ai takes them: for each run those that its caller may use."""
        config, approved = self._config, self.approved
        made: list[AbstractToolset[Any]] = []
        if config.tools:
            made.append(agent_toolset(config.tools, self._askable, approved=approved))
        made += plugin_toolsets(config.plugins, self._calls, approved=approved)
        if self._web and self._config.web_search:
            required = self._config.web_search.required
            made.append(web_search.web_toolset(self._web, required=required, approved=web_search.NAME in self.approved))
        return [each.filtered(_is_allowed) for each in made]

    async def problems(self) -> list[str]:
        """Why tools cannot be used, a sentence for each with what to do: the key or the certificates of a service."""
        problem = await self._web.problem() if self._web else None
        return [problem] if problem else []

    async def close(self) -> None:
        """Close the connections to services and to agents elsewhere. Those to the gateway are the process's."""
        await self._askable.close()
        if self._web:
            await self._web.close()


def _is_allowed(_: RunContext[Any], tool: ToolDefinition) -> bool:
    scopes = SCOPES.get()
    assert scopes is not None, "tools are listed within runs"
    return is_allowed(tool.name, scopes.run.request.without_tools)


def is_allowed(tool: str, denied: Collection[str]) -> bool:
    """Whether a run's caller may use a tool: neither it nor the entry that it comes from is among those denied."""
    return tool not in denied and tool.partition(MARK)[0] not in denied
