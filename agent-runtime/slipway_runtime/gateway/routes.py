"""Which pods serve which agent right now, and who waits for one.

The table only ever gets what is true (`replace`, `set`, `remove`), by whatever learns it: a watch on Kubernetes, or
the local driver. Picking is by least in-flight: of the pods that are ready, the one with the fewest of this gateway's
questions open. Nothing here does I/O.
"""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from slipway_runtime.grants import MAX_SECONDS


class AgentKey(NamedTuple):
    """An agent's address: namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "AgentKey":
        """Read `namespace/name`.

        Raises:
            ValueError: if the text is anything else.
        """
        namespace, slash, name = text.partition("/")
        if not (namespace and slash and name) or "/" in name:
            raise ValueError(f"{text!r} is not an agent: write it as namespace/name")
        return cls(namespace, name)


@dataclass(frozen=True, order=True)
class PluginKey:
    """A plugin's address. It never equals an agent's, whatever both are called."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, order=True)
class WorkflowKey:
    """A workflow's address. It never equals an agent's or a plugin's, whatever they are called."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


Target = AgentKey | PluginKey | WorkflowKey
"""What a caller may or may not use."""


@dataclass(frozen=True)
class AgentAccess:
    """Who may use something, by groups, as its manifest says (`spec.access`)."""

    groups: frozenset[str] | None = None
    """None: every verified caller."""
    tools: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Tools that only members of these groups may use."""

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> "AgentAccess":
        """The access of an object, from its `spec` as the API server has it."""
        given = spec.get("access") or {}
        groups = given.get("groups")
        return cls(
            groups=None if groups is None else frozenset(groups),
            tools={each["name"]: frozenset(each["groups"]) for each in given.get("tools") or ()},
        )


FAILURES = 3
EJECTED_SECONDS = 10.0
"""How long a failing pod is left alone at first; each time that it fails again, so much longer."""
EJECTED_SECONDS_AT_MOST = 60.0


@dataclass(eq=False, slots=True)
class PodEndpoint:
    """One pod's address, how many requests of this gateway it has open, and how it did with the last ones."""

    url: str
    in_flight: int = 0
    failures: int = 0
    """Requests in a row that it broke off, or did not take."""
    ejections: int = 0
    ejected_until: float = 0.0
    """On the clock of `time.monotonic`: until then others are preferred."""

    def failed(self) -> bool:
        """It broke off a request. Whether it is left alone for a while now: after its third failure in a row, and after
        the first one of those that follow."""
        self.failures += 1
        if self.failures < FAILURES:
            return False
        self.ejections += 1
        self.ejected_until = time.monotonic() + min(EJECTED_SECONDS * self.ejections, EJECTED_SECONDS_AT_MOST)
        return True

    def succeeded(self) -> None:
        """It answered a request to its end."""
        self.failures = self.ejections = 0
        self.ejected_until = 0.0

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count one request for as long as the block lasts."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


@dataclass(frozen=True)
class Description:
    """What `GET /agents` says of an agent."""

    architecture: str | None = None
    revision: str | None = None
    """The one that serves; None while none does."""
    health: str = "Unknown"
    """The phase in the Agent's status."""
    description: str = ""
    """What it is for, in its manifest's words."""
    capabilities: tuple[str, ...] = ()
    knowledge: tuple[str, ...] = ()
    """Names of the indexes that it answers from."""
    tools: tuple[str, ...] = ()
    """Names of the tools that it may use while it answers."""


@dataclass(frozen=True)
class Reach:
    """Whom an agent may ask for its callers, and for how long."""

    agents: frozenset[AgentKey] = frozenset()
    seconds: float = 0.0
    """How long a run of it may take, without the time in which it waits for a person."""
    waits: bool = False
    """Whether its runs may wait for a person."""
    plugins: frozenset[PluginKey] = frozenset()
    """Whose tools it may call for its callers."""

    @property
    def grant_seconds(self) -> float:
        """How long a grant of it is valid. A run that waits goes on later than its time, by whomever it is answered."""
        return MAX_SECONDS if self.waits else self.seconds


@dataclass(frozen=True)
class Offer:
    """What an agent's MCP server needs to know of it besides its description."""

    created: str = ""
    """When the Agent was made (RFC 3339)."""
    mcp_name: str = ""
    """What the names of its tools begin with on the federated server; empty where its status does not say."""
    web_search: bool = False
    approved: frozenset[str] = frozenset()
    """Tools whose calls wait for a person."""
    prompts: tuple[Mapping[str, Any], ...] = ()
    """Entries of `spec.prompts`."""

    @classmethod
    def read(cls, spec: Mapping[str, Any], *, created: str = "", mcp_name: str = "") -> "Offer":
        """What the MCP server of an Agent has, from its `spec` as the API server has it."""
        return cls(
            created=created,
            mcp_name=mcp_name,
            web_search=spec.get("webSearch") is not None,
            approved=frozenset(each["tool"] for each in spec.get("approvals") or ()),
            prompts=tuple(spec.get("prompts") or ()),
        )


def may_wait(architecture: object, approvals: object) -> bool:
    """Whether runs of an agent may wait for a person: for those whom a tool needs, or whom code of the user's asks."""
    return bool(approvals) or architecture == "custom"


@dataclass(eq=False, slots=True)
class _Route:
    description: Description = field(default_factory=Description)
    reach: Reach = field(default_factory=Reach)
    offer: Offer = field(default_factory=Offer)
    endpoints: dict[str, PodEndpoint] = field(default_factory=dict)
    retiring: dict[str, tuple[PodEndpoint, ...]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class RouteTable:
    """Agents and the ready end points of their serving revision, and of those that it replaced, while they last.

    An end point that stays keeps its count; one that goes keeps it too for the requests that still hold it, so open
    streams are left alone when a revision is switched.
    """

    def __init__(self) -> None:
        self._routes: dict[AgentKey, _Route] = {}
        self._access: dict[Target, AgentAccess] = {}
        self.listed = True
        """Whether an agent that is not here does not exist. Not so before a source that needs time has listed them."""

    def replace(self, routes: Mapping[AgentKey, Collection[str]]) -> None:
        """Take this as the whole truth."""
        for agent in [agent for agent in self._routes if agent not in routes]:
            self.remove(agent)
        for agent, urls in routes.items():
            self.set(agent, urls)

    def set(
        self, agent: AgentKey, urls: Collection[str], *, retiring: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """The agent exists, and these are its ready end points (perhaps none).

        Args:
            retiring: end points of replaced revisions, by the revision's name. They answer for their sessions only.
        """
        route = self._routes.setdefault(agent, _Route())
        known = {each.url: each for each in (*route.endpoints.values(), *chain(*route.retiring.values()))}
        route.retiring = {
            name: tuple(known.get(url) or PodEndpoint(url) for url in of_it) for name, of_it in (retiring or {}).items()
        }
        if route.endpoints.keys() != set(urls):
            route.endpoints = {url: known.get(url) or PodEndpoint(url) for url in urls}
            _wake(route)

    def describe(
        self, agent: AgentKey, description: Description, reach: Reach | None = None, offer: Offer | None = None
    ) -> None:
        """Say more of an agent that exists."""
        if route := self._routes.get(agent):
            route.description, route.reach, route.offer = description, reach or Reach(), offer or Offer()

    def description(self, agent: AgentKey) -> Description:
        """What is known of an agent."""
        route = self._routes.get(agent)
        return route.description if route else Description()

    def reach(self, agent: AgentKey) -> Reach:
        """Whom an agent may ask; nobody, where it is not known."""
        route = self._routes.get(agent)
        return route.reach if route else Reach()

    def restrict(self, target: Target, access: AgentAccess | None) -> None:
        """Only these may use the agent, plugin or workflow from now on; None where it is no more."""
        if access is None:
            self._access.pop(target, None)
        else:
            self._access[target] = access

    def access(self, target: Target) -> AgentAccess:
        """Who may use an agent, a plugin or a workflow: every verified caller, where nothing else was said."""
        return self._access.get(target) or AgentAccess()

    def offer(self, agent: AgentKey) -> Offer:
        """What an agent's MCP server has; nothing special, where the agent is not known."""
        route = self._routes.get(agent)
        return route.offer if route else Offer()

    def remove(self, agent: AgentKey) -> None:
        """The agent is no more."""
        self.restrict(agent, None)
        if route := self._routes.pop(agent, None):
            _wake(route)

    def __contains__(self, agent: AgentKey) -> bool:
        return agent in self._routes

    def agents(self) -> dict[AgentKey, int]:
        """Every agent with its number of ready end points."""
        return {agent: len(route.endpoints) for agent, route in sorted(self._routes.items())}

    def endpoints(self, agent: AgentKey) -> tuple[PodEndpoint, ...]:
        """The agent's ready end points; none for an agent that is not there."""
        route = self._routes.get(agent)
        return tuple(route.endpoints.values()) if route else ()

    def retiring(self, agent: AgentKey, *, avoid: Collection[PodEndpoint] = ()) -> list[str]:
        """Names of the replaced revisions that still have a ready end point not among those to avoid."""
        route = self._routes.get(agent)
        return [name for name, of_it in route.retiring.items() if not avoid or set(of_it) - set(avoid)] if route else []

    def pick(
        self, agent: AgentKey, *, avoid: Collection[PodEndpoint] = (), retiring: str | None = None
    ) -> PodEndpoint | None:
        """The least busy ready end point that is not among those to avoid, if possible one that does not fail; None if
        there is none.

        Args:
            retiring: the replaced revision that is asked for; None for the one that serves.
        """
        route = self._routes.get(agent)
        if route is None:
            return None
        of_it = route.endpoints.values() if retiring is None else route.retiring.get(retiring, ())
        now = time.monotonic()
        # Where all of them fail, one that fails is still tried.
        return min(
            (each for each in of_it if each not in avoid),
            key=lambda each: (each.ejected_until > now, each.in_flight),
            default=None,
        )

    async def changed(self, agent: AgentKey, *, within: float) -> None:
        """Return when the agent's end points change, and after `within` seconds at the latest."""
        route = self._routes.get(agent)
        if route is None:
            return
        try:
            async with asyncio.timeout(within):
                await route.changed.wait()
        except TimeoutError:
            return


def _wake(route: _Route) -> None:
    """Release everybody who waits now, and let the next one wait for the next change."""
    route.changed.set()
    route.changed = asyncio.Event()
