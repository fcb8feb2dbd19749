"""The one place that asks whether a caller may do something. Every path of the gateway asks here."""

from enum import StrEnum
from typing import Protocol

from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason


class Action(StrEnum):
    """What a caller does with an agent."""

    LIST = "list"
    """To see that the agent exists."""
    ASK = "ask"
    ANSWER = "answer"
    """To give an input that a run waits for, which only those may whom the run asks."""
    READ = "read"
    """Runs and sessions, which hosts show to their owner only."""
    DELETE = "delete"


class Policy(Protocol):
    """Decides what callers may do."""

    def allows(self, caller: Caller, action: Action, target: AgentKey) -> bool:
        """Whether this caller may do this with this agent."""
        ...


class Everything:
    """Every verified caller may ask every agent."""

    def allows(self, caller: Caller, action: Action, target: AgentKey) -> bool:
        return True


def require(policy: Policy, caller: Caller, action: Action, target: AgentKey) -> None:
    """Let an allowed action pass.

    Raises:
        Problem: `AgentNotFound`, in the words that are used where there is no such agent: a caller does not learn of
            agents that others use.
    """
    if not policy.allows(caller, action, target):
        raise no_such_agent()


def no_such_agent() -> Problem:
    """There is no such agent for this caller."""
    return Problem(Reason.AGENT_NOT_FOUND, "there is no such agent: GET /agents lists what there is")
