"""Routes from Kubernetes: an Agent's status says which revision serves, EndpointSlices say where its ready pods are.

Both are watched and joined here. An Agent without a serving revision has no end points, but it exists: a question to it
is held for a while instead of being refused as unknown.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from slipway_crds.contract import HTTP_PORT_NAME, TLS_PORT_NAME
from slipway_crds.fields import parse_duration
from slipway_crds.mcp_names import STATUS_FIELD
from slipway_crds.meta import AGENT_LABEL, API_VERSION, REVISION_LABEL
from slipway_crds.runtimeconfig import CAPABILITIES
from slipway_runtime.gateway.kubernetes_api import KubernetesApi, Object
from slipway_runtime.gateway.reflector import ObjectKey, Reflector
from slipway_runtime.gateway.routes import (
    AgentAccess,
    AgentKey,
    Description,
    Offer,
    PluginKey,
    Reach,
    RouteTable,
    may_wait,
)

AGENTS_PATH = f"/apis/{API_VERSION}/agents"
SLICES_PATH = "/apis/discovery.k8s.io/v1/endpointslices"
_BROUGHT: Mapping[object, tuple[str, ...]] = {name: each for name, each in CAPABILITIES.items()}
DEFAULT_TIMEOUT = "60s"
"""Of an Agent that was stored before the field had a default."""


@dataclass(frozen=True)
class Slice:
    """What counts of one EndpointSlice."""

    agent: AgentKey
    revision: str
    urls: frozenset[str]


def serving_revision(agent: Object) -> str | None:
    """Name of the revision that gets new questions: the one with the most weight, if any has some."""
    revisions = (agent.get("status") or {}).get("revisions") or []
    best = max(revisions, key=lambda revision: revision["weight"], default=None)
    return best["name"] if best and best["weight"] > 0 else None


def retiring_revisions(agent: Object) -> frozenset[str]:
    """Names of the revisions that were replaced and still answer."""
    revisions = (agent.get("status") or {}).get("revisions") or []
    return frozenset(each["name"] for each in revisions if each["state"] == "Retiring")


def describe(agent: Object) -> Description:
    """What the list of agents says of an Agent."""
    spec = agent.get("spec") or {}
    architecture, capabilities = spec.get("architecture"), spec.get("capabilities")
    return Description(
        architecture=architecture,
        revision=serving_revision(agent),
        health=(agent.get("status") or {}).get("phase") or "Unknown",
        description=spec.get("description") or "",
        capabilities=tuple(_BROUGHT.get(architecture, ()) if capabilities is None else capabilities),
        knowledge=tuple(entry["indexRef"]["name"] for entry in spec.get("knowledge") or ()),
        tools=tuple(entry["name"] for entry in spec.get("tools") or ()),
    )


def reach(agent: Object) -> Reach:
    """Whom an Agent may ask: its members, and agents and plugins among its tools, all of its own namespace."""
    spec = agent.get("spec") or {}
    refs = [each.get("agentRef") for name in ("members", "tools") for each in spec.get(name) or []]
    namespace = agent["metadata"]["namespace"]
    seconds = parse_duration((spec.get("limits") or {}).get("requestTimeout") or DEFAULT_TIMEOUT).total_seconds()
    waits = may_wait(spec.get("architecture"), spec.get("approvals"))
    plugins = [each.get("pluginRef") for each in spec.get("tools") or []]
    return Reach(
        frozenset(AgentKey(namespace, ref["name"]) for ref in refs if ref),
        seconds,
        waits,
        frozenset(PluginKey(namespace, ref["name"]) for ref in plugins if ref),
    )


def offer(agent: Object) -> Offer:
    """What an Agent's MCP server has."""
    return Offer.read(
        agent.get("spec") or {},
        created=agent["metadata"].get("creationTimestamp") or "",
        mcp_name=(agent.get("status") or {}).get(STATUS_FIELD) or "",
    )


def read_slice(found: Object, *, tls: bool = False) -> Slice | None:
    """The ready end points of a revision's EndpointSlice; None if it belongs to none.

    Args:
        tls: whether those that speak TLS are called by it. Pods that do not yet, while an installation changes to it,
            are called as before.
    """
    labels = found["metadata"].get("labels") or {}
    if AGENT_LABEL not in labels or REVISION_LABEL not in labels:
        return None
    agent = AgentKey(found["metadata"]["namespace"], labels[AGENT_LABEL])
    return Slice(agent, labels[REVISION_LABEL], ready_urls(found, tls=tls))


def ready_urls(found: Object, *, tls: bool = False) -> frozenset[str]:
    """Where the ready end points of an EndpointSlice are."""
    ports = {port.get("name"): port["port"] for port in found.get("ports") or []}
    secure = tls and TLS_PORT_NAME in ports
    scheme, port = ("https", ports[TLS_PORT_NAME]) if secure else ("http", ports.get(HTTP_PORT_NAME))
    ready = [
        address
        for endpoint in found.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False  # unset means ready, by the API's convention
        for address in endpoint["addresses"]
    ]
    return frozenset(f"{scheme}://{_bracketed(address)}:{port}" for address in ready) if port else frozenset()


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


class Join:
    """Agents joined with EndpointSlices, and every agent reported to the route table that is affected by a change."""

    def __init__(self, routes: RouteTable, *, tls: bool = False) -> None:
        self._routes = routes
        self._tls = tls
        self._routes.listed = False
        self._serving: dict[AgentKey, str | None] = {}
        self._retiring: dict[AgentKey, frozenset[str]] = {}
        self._slices: dict[ObjectKey, Slice] = {}
        self._of_agent: defaultdict[AgentKey, set[ObjectKey]] = defaultdict(set)

    def list_agents(self, agents: Mapping[ObjectKey, Object]) -> None:
        """Take these Agents as all that there are."""
        for gone in self._serving.keys() - {AgentKey(*key) for key in agents}:
            self._remove(gone)
        for key, agent in agents.items():
            self._keep_agent(AgentKey(*key), agent)
        self._routes.listed = True

    def change_agent(self, key: ObjectKey, found: Object | None) -> None:
        """Take note of one Agent's new state."""
        agent = AgentKey(*key)
        if found is None:
            self._remove(agent)
        else:
            self._keep_agent(agent, found)

    def _remove(self, agent: AgentKey) -> None:
        self._serving.pop(agent, None)
        self._retiring.pop(agent, None)
        self._routes.remove(agent)

    def _keep_agent(self, agent: AgentKey, found: Object) -> None:
        self._routes.restrict(agent, AgentAccess.read(found.get("spec") or {}))
        self._serving[agent] = serving_revision(found)
        self._retiring[agent] = retiring_revisions(found)
        self._update(agent)
        self._routes.describe(agent, describe(found), reach(found), offer(found))

    def list_slices(self, slices: Mapping[ObjectKey, Object]) -> None:
        """Take these EndpointSlices as all that there are."""
        self._slices.clear()
        self._of_agent.clear()
        for key, found in slices.items():
            self._keep(key, read_slice(found, tls=self._tls))
        for agent in self._serving:
            self._update(agent)

    def change_slice(self, key: ObjectKey, found: Object | None) -> None:
        """Take note of one EndpointSlice's new state."""
        before, now = self._slices.pop(key, None), read_slice(found, tls=self._tls) if found else None
        if before:
            self._of_agent[before.agent].discard(key)
        self._keep(key, now)
        for agent in {part.agent for part in (before, now) if part}:
            self._update(agent)

    def _keep(self, key: ObjectKey, part: Slice | None) -> None:
        if part:
            self._slices[key] = part
            self._of_agent[part.agent].add(key)

    def _update(self, agent: AgentKey) -> None:
        if agent not in self._serving:
            return
        ready: defaultdict[str | None, set[str]] = defaultdict(set)
        for key in self._of_agent.get(agent, ()):
            ready[self._slices[key].revision] |= self._slices[key].urls
        retiring = {name: ready[name] for name in self._retiring[agent] & ready.keys() if ready[name]}
        self._routes.set(agent, ready[self._serving[agent]], retiring=retiring)


class KubernetesRoutes:
    """Keeps a route table current from the API server.

    Args:
        also: followers of other collections, without which the table can be trusted.
        tls: whether hosts that speak TLS are called by it.
    """

    def __init__(
        self, api: KubernetesApi, routes: RouteTable, *, also: Sequence[Reflector] = (), tls: bool = False
    ) -> None:
        join = Join(routes, tls=tls)
        self._also = tuple(also)
        self._agents = Reflector(api, AGENTS_PATH, on_list=join.list_agents, on_change=join.change_agent)
        self._slices = Reflector(
            api,
            SLICES_PATH,
            on_list=join.list_slices,
            on_change=join.change_slice,
            query={"labelSelector": f"{AGENT_LABEL},{REVISION_LABEL}"},
        )

    def missing(self) -> str | None:
        """What keeps the table from being trusted; None once both collections were listed."""
        return self._agents.problem or self._slices.problem

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow all collections for as long as the block lasts; a follower that dies ends the block."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(reflector.run()) for reflector in (self._agents, self._slices, *self._also)]
            yield
            for task in tasks:
                task.cancel()
