"""Agents, and plugins, that ask agents: what a grant is worth here, and which grant a run gets.

A grant is signed by a gateway, so what it says holds. What may have changed since is looked up: whom the agent may ask
(the table of routes knows), and whether the run still goes on, which any pod of the agent can tell from the store.
"""

import asyncio
import logging
import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace

import orjson
from starlette.requests import Request

from slipway_runtime import grants
from slipway_runtime.events import TERMINAL
from slipway_runtime.gateway.answers import whole
from slipway_runtime.gateway.auth import bearer
from slipway_runtime.gateway.plugins.table import PluginTable
from slipway_runtime.gateway.requests import request_id
from slipway_runtime.gateway.routes import AgentKey, PluginKey, RouteTable
from slipway_runtime.gateway.upstream import Broken, Refused, TooManyBroke, UpstreamRequest, Upstreams
from slipway_runtime.grants import Grant, InvalidGrant
from slipway_runtime.identity import Caller, Signer
from slipway_runtime.problems import Problem, Reason

PLUGIN = "plugin:"
"""How the actor of a plugin's grant begins, in which no agent's `namespace/name` does."""
log = logging.getLogger(__name__)
STATE_SECONDS = 20.0
"""How long it may take to learn whether a run goes on; longer than a pod is waited for."""


def presented(request: Request) -> str | None:
    """The grant that a request brings as its credential, of whatever worth."""
    token = bearer(request.headers.raw)
    return token if token and grants.is_grant(token) else None


class Nesting:
    """Mints grants and checks them."""

    def __init__(self, *, routes: RouteTable, plugins: PluginTable, upstreams: Upstreams, signer: Signer) -> None:
        self._routes = routes
        self._plugins = plugins
        self._upstreams = upstreams
        self._signer = signer

    def mint(self, caller: Caller, *, agent: AgentKey, run: str, within: Grant | None = None) -> str | None:
        """The grant of a run that starts now; None for an agent that may ask no other, or one that is too deep."""
        reach = self._routes.reach(agent)
        if not (reach.agents or reach.plugins):
            return None
        if within is None:
            return grants.sign(
                grants.first(caller, actor=str(agent), run=run, seconds=reach.grant_seconds), self._signer
            )
        nested = within.nested(actor=str(agent), run=run, seconds=reach.grant_seconds)
        return grants.sign(nested, self._signer) if nested else None

    def mint_for_plugin(self, caller: Caller, plugin: PluginKey, within: Grant | None = None) -> str | None:
        """The grant of a call of a plugin's tool; None for a plugin that may ask no agent, or one that is too deep."""
        server = self._plugins.get(plugin)
        if server is None or not server.upstream.agents:
            return None
        actor, run, seconds = f"{PLUGIN}{plugin}", uuid.uuid4().hex, server.upstream.timeout
        if within is None:
            return grants.sign(grants.first(caller, actor=actor, run=run, seconds=seconds), self._signer)
        nested = within.nested(actor=actor, run=run, seconds=seconds)
        return grants.sign(nested, self._signer) if nested else None

    def renew(self, token: str, caller: Caller, *, own: bool, agent: AgentKey, run: str) -> str | None:
        """The grant of a run that goes on after a person has decided; None where the former one gives no right to it.

        Args:
            token: the run's grant, which may have expired.
            caller: who decided.
            own: whether that is the run's own caller, whose groups of now count.
        """
        seconds = self._routes.reach(agent).grant_seconds
        try:
            grant = grants.renewed(token, self._signer, run=run, actor=str(agent), seconds=seconds)
        except InvalidGrant as error:
            log.warning("the grant of a run is not renewed: %s", error, extra={"agent": str(agent), "run": run})
            return None
        return grants.sign(replace(grant, caller=caller) if own else grant, self._signer)

    def read(self, token: str) -> Grant:
        """What a grant says.

        Raises:
            Problem: `Unauthenticated`.
        """
        try:
            return grants.verify(token, self._signer)
        except InvalidGrant as error:
            raise Problem(Reason.UNAUTHENTICATED, f"{error}.") from None

    def reach(self, grant: Grant) -> Collection[AgentKey]:
        """The agents that may be asked with a grant."""
        if not grant.actor.startswith(PLUGIN):
            return self._routes.reach(AgentKey.parse(grant.actor)).agents
        namespace, _, name = grant.actor.removeprefix(PLUGIN).partition("/")
        server = self._plugins.get(PluginKey(namespace, name))
        return [AgentKey(namespace, each) for each in server.upstream.agents] if server else ()

    async def check_plugin(self, grant: Grant, plugin: PluginKey) -> None:
        """See that the agent that holds the grant may call tools of a plugin, and that its run goes on.

        Raises:
            Problem: `NotAMember`, `Unauthenticated`, `NoPodReady`.
        """
        if grant.actor.startswith(PLUGIN):
            raise Problem(Reason.NOT_A_MEMBER, f"{grant.actor} may ask agents, and call no other plugin")
        if plugin not in self._routes.reach(AgentKey.parse(grant.actor)).plugins:
            raise Problem(
                Reason.NOT_A_MEMBER,
                f"agent {grant.actor} may call the plugins among its tools, and {plugin} is none of them.",
            )
        await self.check_goes_on(grant)

    async def check(self, grant: Grant, request: Request, agent: AgentKey) -> None:
        """See that a request is one that the grant is for: to ask a member, and to follow or cancel what it asked.

        Raises:
            Problem: `NotAMember`, `RunNotFound`, `Unauthenticated` once the run has ended, `NoPodReady` if that cannot
                be found out.
        """
        if agent not in self.reach(grant):
            may = f"agent {grant.actor} may ask its members and the agents among its tools"
            if grant.actor.startswith(PLUGIN):
                may = f"{grant.actor} may ask the agents among its permissions"
            raise Problem(Reason.NOT_A_MEMBER, f"{may}, and {agent} is none of them.")
        self._check_path(grant, request, agent)
        if request.method != "DELETE":  # a run that was stopped cancels what it had asked
            await self.check_goes_on(grant)

    def _check_path(self, grant: Grant, request: Request, agent: AgentKey) -> None:
        given = request.path_params
        if "input" in given or "session" in given or (request.method != "POST" and "run" not in given):
            raise Problem(Reason.UNAUTHENTICATED, "A grant is for asking agents: this path takes another credential.")
        if "run" in given and given["run"] != request_id(
            request, owner=grant.caller.owner, agent=agent, within=grant.run
        ):
            raise Problem(
                Reason.RUN_NOT_FOUND, "A run can be followed by the grant and the Idempotency-Key that it began with."
            )

    async def check_goes_on(self, grant: Grant) -> None:
        """See that the grant's run has not ended. A plugin's grant is for no longer than a call of it may take.

        Raises:
            Problem: `Unauthenticated` if it has; `NoPodReady` if that cannot be found out now.
        """
        if grant.actor.startswith(PLUGIN):
            return
        try:
            async with asyncio.timeout(STATE_SECONDS):
                state = await self._state(grant)
        except (TimeoutError, TooManyBroke, Refused, *Broken):
            raise Problem(
                Reason.NO_POD_READY, f"no pod of agent {grant.actor} says whether its run goes on: ask again"
            ) from None
        if state in TERMINAL:
            raise Problem(Reason.UNAUTHENTICATED, "The run of this grant has ended, and the grant with it.")

    async def _state(self, grant: Grant) -> str:
        signer, actor = self._signer, grant.actor
        call = UpstreamRequest(
            agent=AgentKey.parse(actor),
            method="GET",
            path=f"/agents/{actor}/runs/{grant.run}/state",
            headers={"Accept": "application/json"},
            identity=lambda: signer.sign(grant.caller, actor),
            former_identity=lambda: signer.sign_with_former_key(grant.caller, actor),
        )
        async with self._upstreams.open(call) as (response, _):
            body = await whole(response)
            if response.status == 404:
                raise Problem(Reason.UNAUTHENTICATED, "The run of this grant is not there any more.")
            document = orjson.loads(body) if response.status == 200 else None
        state = document.get("state") if isinstance(document, Mapping) else None
        if not isinstance(state, str):
            raise ConnectionError(f"a pod answered {response.status}")
        return state
