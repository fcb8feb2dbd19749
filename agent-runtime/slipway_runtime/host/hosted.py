"""An agent as a host serves it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from slipway_crds.contract import revision_name
from slipway_crds.runtimeconfig import AgentConfig, AnswersBinding, RuntimeConfig
from slipway_runtime.agents.direct_tools import DirectTools
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.agents.protocol import Agent
from slipway_runtime.store.session_stores import SessionStore


@dataclass(frozen=True)
class HostedAgent:
    """An agent and the limits that the host keeps for it."""

    config: AgentConfig
    agent: Agent
    sessions: SessionStore | None = None
    """Where its sessions are kept; None for the host's own store."""
    tools: DirectTools | None = None
    """What it does without a run; None for an agent that is made for a test."""
    answers: Callable[[], AnswersBinding | None] = lambda: None
    """Where its answers are written to now."""
    dependencies: AgentDependencies | None = None
    """What it was made of; None for an agent that is made for a test."""

    @cached_property
    def revision(self) -> str:
        """The name that the operator gives the revision."""
        return revision_name(self.config.name, RuntimeConfig(agents=(self.config,)).digest())

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.config.namespace}/{self.config.name}"
