"""Agents in the local driver: the host serves them, and the gateway has a route to each."""

import asyncio
from collections.abc import Container, Mapping
from typing import Any

from slipway_crds.agents.kind import AGENT
from slipway_crds.agents.model import Agent
from slipway_crds.resolve import resolve
from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.broken_agent import BrokenAgent
from slipway_runtime.dev.agent_plugins import write_code
from slipway_runtime.dev.kinds import LocalKind, Outcome, Report
from slipway_runtime.dev.manifests import Manifests, key_of
from slipway_runtime.dev.parts import Parts
from slipway_runtime.gateway.routes import AgentAccess, AgentKey, Description, Offer, PluginKey, Reach, may_wait
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.making import close_hosted, hosted_agent


class LocalAgents:
    """A new agent is there at once, and reports itself that its index is not ready. An agent that changes is exchanged
    when the indexes are ready; a run that is under way ends with the agent it began with."""

    def __init__(self, parts: Parts, host_url: str) -> None:
        self._parts = parts
        self._host_url = host_url
        self._phase = "Pending"
        self._next: list[HostedAgent] = []
        self._access: dict[AgentKey, AgentAccess] = {}
        self._offers: dict[AgentKey, Offer] = {}

    def announce(self, manifests: Manifests) -> None:
        self._parts.model_files.apply(manifests)
        write_code(manifests, self._parts.plugin_code)
        specs = {AgentKey(*key_of(each)): _spec(each) for each in manifests.objects if isinstance(each, Agent)}
        self._access = {agent: AgentAccess.read(spec) for agent, spec in specs.items()}
        self._offers = {agent: Offer.read(spec) for agent, spec in specs.items()}
        served, gateway = self._parts.host.runs.agents, self._parts.gateway
        self._serve([*served.values(), *self._hosted(manifests, but=served)])
        gateway.default_agent = gateway.default_agent or _only(manifests)

    async def make(self, manifests: Manifests, report: Report) -> list[Outcome]:
        """Nothing takes a while, but code of the user's may give no agent."""
        self._next = self._hosted(manifests)
        broken = (each.agent for each in self._next if isinstance(each.agent, BrokenAgent))
        return [Outcome("agent", error=each.why) for each in broken]

    def exchange(self, manifests: Manifests) -> None:
        self._phase = "Ready"
        before = list(self._parts.host.runs.agents.values())
        self._serve(self._next)
        for each in before:
            _close_later(each)
        self._parts.gateway.default_agent = _only(manifests)
        self._parts.gateway.smart_agent = _smart(manifests)

    def _hosted(self, manifests: Manifests, *, but: Container[str] = ()) -> list[HostedAgent]:
        dependencies = self._parts.dependencies
        configs = (each for each in agents_in(manifests) if f"{each.namespace}/{each.name}" not in but)
        return [hosted_agent(config, dependencies) for config in configs]

    def _serve(self, agents: list[HostedAgent]) -> None:
        self._parts.host.serve(agents)
        table = self._parts.gateway.routes
        table.replace({_key(agent.config): [self._host_url] for agent in agents})
        for agent in agents:
            table.restrict(_key(agent.config), self._access.get(_key(agent.config)))
            table.describe(
                _key(agent.config), self._describe(agent), self._reach(agent), self._offers.get(_key(agent.config))
            )

    def _reach(self, agent: HostedAgent) -> Reach:
        config, members = agent.config, self._parts.model_files.of(agent.key).members
        return Reach(
            frozenset(AgentKey(config.namespace, name) for name in members),
            config.request_timeout_seconds,
            waits=may_wait(config.architecture, config.approvals),
            plugins=frozenset(PluginKey(config.namespace, each.plugin) for each in config.plugins),
        )

    def _describe(self, agent: HostedAgent) -> Description:
        bindings = self._parts.model_files.of(agent.key)
        return Description(
            architecture=agent.config.architecture,
            revision=agent.revision,
            health=self._phase,
            description=bindings.description,
            capabilities=bindings.capabilities,
            knowledge=tuple(each.index for each in agent.config.knowledge),
            tools=tuple(each.name for each in agent.config.tools),
        )


def _spec(agent: Agent) -> Mapping[str, Any]:
    """What the gateway reads of an Agent's spec, as the API server would have it."""
    read = {"access", "web_search", "approvals", "prompts"}
    return agent.spec.model_dump(mode="json", by_alias=True, exclude_none=True, include=read)


def _close_later(hosted: HostedAgent) -> None:
    """Close an agent that was exchanged, when its last run is over."""
    loop = asyncio.get_running_loop()
    loop.call_later(hosted.config.request_timeout_seconds, lambda: loop.create_task(close_hosted(hosted)))


def agents_in(manifests: Manifests) -> tuple[AgentConfig, ...]:
    """The configurations of all agents that can be resolved; warnings name the others."""
    config, _ = resolve(manifests.objects)
    return config.agents


def _only(manifests: Manifests) -> AgentKey | None:
    """The agent that is meant when none is named: the only one there is."""
    agents = agents_in(manifests)
    return _key(agents[0]) if len(agents) == 1 else None


def _smart(manifests: Manifests) -> AgentKey | None:
    """The agent behind `/smart/chat`: the only orchestrator that there is."""
    found = [_key(config) for config in agents_in(manifests) if config.architecture == "orchestrator"]
    return found[0] if len(found) == 1 else None


def _key(config: AgentConfig) -> AgentKey:
    return AgentKey(config.namespace, config.name)


ROW = LocalKind(AGENT, LocalAgents)
