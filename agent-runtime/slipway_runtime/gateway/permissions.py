"""The one place that asks whether a caller may do something. Every path of the gateway asks here."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from slipway_runtime.gateway.routes import AgentAccess, AgentKey, PluginKey, Target
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason


class Action(StrEnum):
    """What a caller does with an agent, a plugin or a workflow."""

    LIST = "list"
    """To see that it exists, or with a tool: that it has that tool."""
    ASK = "ask"
    """To start a run; with a plugin: to call a tool."""
    ANSWER = "answer"
    """To give an input that a run waits for, which only those may whom the run asks."""
    READ = "read"
    """Runs and sessions, which hosts show to their owner only."""
    DELETE = "delete"


class Policy(Protocol):
    """Decides what callers may do."""

    def allows(self, caller: Caller, action: Action, target: Target, *, tool: str | None = None) -> bool:
        """Whether this caller may do this with this agent or plugin.

        Args:
            tool: the tool of it that is called or listed; None where it is about none.
        """
        ...


class Everything:
    """Every verified caller may use everything."""

    def allows(self, caller: Caller, action: Action, target: Target, *, tool: str | None = None) -> bool:
        return True


ASK_TOOL = "ask"
"""The tool by which MCP clients ask an agent. To ask is the same on every protocol, so one name is for all of them."""

DOCUMENTS_TOOL = "search_documents"
"""The tool whose rights are also those of reading a document, and of getting its address."""


class ByGroups:
    """What `spec.access` of agents, plugins and workflows says.

    Args:
        access: who may use what, as it is known now.
    """

    def __init__(self, access: Callable[[Target], AgentAccess]) -> None:
        self._access = access

    def allows(self, caller: Caller, action: Action, target: Target, *, tool: str | None = None) -> bool:
        access = self._access(target)
        if access.groups is not None and access.groups.isdisjoint(caller.groups):
            return False
        named = tool or (ASK_TOOL if action is Action.ASK else "")
        return named not in access.tools or not access.tools[named].isdisjoint(caller.groups)


OF_CLIENTS = frozenset((ASK_TOOL, DOCUMENTS_TOOL, "analyze_task"))
"""Tools whose rights are about clients alone: how an agent answers from its documents is for all who may ask it."""


def denied_tools(policy: Policy, access: AgentAccess, caller: Caller, agent: AgentKey) -> tuple[str, ...]:
    """The tools that an agent's models may not call for this caller."""
    named = sorted(access.tools.keys() - OF_CLIENTS)
    return tuple(name for name in named if not policy.allows(caller, Action.ASK, agent, tool=name))


def require(policy: Policy, caller: Caller, action: Action, target: Target, *, tool: str | None = None) -> None:
    """Let an allowed action pass.

    Raises:
        Problem: in the words that are used where there is no such agent or plugin: a caller does not learn of what
            others use.
    """
    if not policy.allows(caller, action, target, tool=tool):
        if isinstance(target, AgentKey):
            raise no_such_agent()
        raise no_such_plugin() if isinstance(target, PluginKey) else no_such_workflow()


def no_such_agent() -> Problem:
    """There is no such agent for this caller."""
    return Problem(Reason.AGENT_NOT_FOUND, "there is no such agent: GET /agents lists what there is")


def no_such_plugin() -> Problem:
    """There is no such plugin for this caller."""
    return Problem(Reason.NOT_FOUND, "there is no such plugin: its owner can say whether it is for you")


def no_such_workflow() -> Problem:
    """There is no such workflow for this caller."""
    return Problem(Reason.WORKFLOW_NOT_FOUND, "there is no such workflow: GET /workflows lists what there is")
