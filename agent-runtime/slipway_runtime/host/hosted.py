"""An agent as a host serves it."""

from dataclasses import dataclass

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.protocol import Agent


@dataclass(frozen=True)
class HostedAgent:
    """An agent and the limits that the host keeps for it."""

    config: AgentConfig
    agent: Agent

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.config.namespace}/{self.config.name}"
