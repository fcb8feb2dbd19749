"""The gateway as an ASGI application: what each path does, who may ask, and what is measured about it.

The paths of agents are passed on to hosts as they are; only `/agent/chat` (the default agent), `/agents` (the list) and
the probes are answered here.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from slipway_runtime.applications import new_application
from slipway_runtime.gateway import access, metrics
from slipway_runtime.gateway.admission import Bound, Full, Shares
from slipway_runtime.gateway.asgi import ClientGone, Message, Receive, SafeHeaders, Send, read_body, unless_gone
from slipway_runtime.gateway.callers import Authenticator, Unproven
from slipway_runtime.gateway.cors import cors
from slipway_runtime.gateway.permissions import Action, Everything, Policy, no_such_agent, require
from slipway_runtime.gateway.relay import CutOff, Relay, Reply
from slipway_runtime.gateway.routes import AgentKey, RouteTable
from slipway_runtime.gateway.upstream import LONGEST_SECONDS, Call, Upstreams
from slipway_runtime.identity import ANONYMOUS, Caller, Signer
from slipway_runtime.probes import readiness
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.chat import wants_stream
from slipway_runtime.telemetry.tracing import incoming, outgoing, span

RUN_HEADER = "X-Slipway-Run"
SESSION_SECONDS = 60.0
"""How long a session may take to read or delete, which no model is asked for."""
_FORWARDED = ("content-type", "content-encoding", "accept", "last-event-id")
log = logging.getLogger(__name__)


@dataclass
class Gateway:
    """Everything that the paths work with. `draining` turns readiness off and nothing else."""

    routes: RouteTable
    upstreams: Upstreams
    authenticator: Authenticator
    signer: Signer
    bound: Bound
    bodies: Shares
    """Bodies that are arriving, by caller: a slow one takes a connection, but none of the places in `bound`."""
    policy: Policy = field(default_factory=Everything)
    allowed_origins: tuple[str, ...] = ()
    """Web origins whose pages may read answers; without any, there is no CORS."""
    default_agent: AgentKey | None = None
    routes_missing: Callable[[], str | None] = lambda: None
    """What keeps the table of routes from being trusted; None once it was filled."""
    draining: bool = field(default=False)
    refusals: access.Refusals = field(default_factory=access.Refusals)

    def missing(self) -> list[str]:
        """What is not there yet, each as a sentence for a person; empty when ready."""
        reasons = [self.routes_missing(), self.authenticator.missing()]
        if self.draining:
            reasons.append("this gateway is shutting down")
        return [reason for reason in reasons if reason]

    def drain(self) -> None:
        """Say that this gateway is going away, and go on serving what still comes."""
        self.draining = True

    async def authenticate(self, request: Request) -> Caller:
        """Who asks. A request of nobody is counted and logged.

        Raises:
            Problem: Unauthenticated.
        """
        found = await self.authenticator.caller(request.headers.raw)
        if isinstance(found, Unproven):
            self.refusals.add(request, cause=found.cause)
            raise Problem(Reason.UNAUTHENTICATED, f"{found.finding}: {found.remedy}")
        return found

    def listed(self, caller: Caller) -> list[dict[str, object]]:
        """The agents that the caller may see."""
        return [
            {"namespace": agent.namespace, "name": agent.name, "ready": pods > 0}
            for agent, pods in self.routes.agents().items()
            if self.policy.allows(caller, Action.LIST, agent)
        ]


def create_app(gateway: Gateway) -> Starlette:
    """The application with all paths of `docs/http-api.md`."""

    async def agents(request: Request) -> Response:
        caller = await gateway.authenticate(request)
        access.write(request, caller, status=200)
        return JSONResponse({"agents": gateway.listed(caller)})

    async def ready(_: Request) -> Response:
        return readiness(gateway.missing())

    of_agent = "/agents/{namespace}/{name}"
    return new_application(
        [
            Route(of_agent + "/chat", AgentPath(gateway), methods=["POST"]),
            Route("/agent/chat", AgentPath(gateway), methods=["POST"]),
            Route(of_agent + "/runs/{run}", AgentPath(gateway), methods=["GET"]),
            Route(of_agent + "/sessions/{session}", AgentPath(gateway), methods=["GET", "DELETE"]),
            Route("/agents", agents),
            Route("/livez", lambda _: PlainTextResponse("alive")),
            Route("/readyz", ready),
        ],
        handlers={Problem: _problem, 500: _unexpected},
        middleware=[
            Middleware(SafeHeaders),
            *([cors(gateway.allowed_origins)] if gateway.allowed_origins else []),
        ],
    )


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _unexpected(_: Request, __: Exception) -> Response:
    return Problem(Reason.INTERNAL_ERROR, "The gateway made a mistake; its log says where.").response()


_ACTIONS = {"POST": Action.ASK, "DELETE": Action.DELETE}
"""What each method does with an agent; others read."""


class AgentPath:
    """One of the paths that hosts answer: authenticate, admit, pass on."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        request = Request(scope)
        caller = await self._gateway.authenticate(request)
        reply = Reply(send, last=self._gateway.draining)
        with access.logged(request, caller, reply):
            agent = self._agent(scope["path_params"])
            require(self._gateway.policy, caller, _ACTIONS.get(request.method, Action.READ), agent)
            await self._measured(request, receive, reply, agent=agent, caller=caller)

    async def _measured(
        self, request: Request, receive: Receive, reply: Reply, *, agent: AgentKey, caller: Caller
    ) -> None:
        began = time.perf_counter()
        try:
            await self._admitted(request, receive, reply, agent=agent, caller=caller)
        except ClientGone:
            reply.status = 499
        except CutOff as error:
            reply.status = 502
            log.warning("an answer broke off in its middle", extra={"agent": str(agent), "cause": str(error.__cause__)})
        except Problem as problem:
            reply.status = problem.status
            raise
        finally:
            metrics.SECONDS.labels(*agent).observe(time.perf_counter() - began)
            metrics.REQUESTS.labels(*agent, reply.status or 500).inc()

    def _agent(self, path: Mapping[str, str]) -> AgentKey:
        if "name" not in path:
            if self._gateway.default_agent is None:
                raise Problem(
                    Reason.AGENT_NOT_FOUND,
                    "there is no default agent: set the chart value gateway.defaultAgent to namespace/name, "
                    "or ask /agents/NAMESPACE/NAME/chat",
                )
            return self._gateway.default_agent
        agent = AgentKey(path["namespace"], path["name"])
        if agent not in self._gateway.routes:
            raise no_such_agent()
        return agent

    async def _admitted(
        self, request: Request, receive: Receive, reply: Reply, *, agent: AgentKey, caller: Caller
    ) -> None:
        body = await self._body(request, receive, caller) or None
        try:
            with self._gateway.bound.slot(), metrics.IN_FLIGHT.track_inprogress():
                await unless_gone(self._relay(request, body, reply, agent=agent, caller=caller), receive)
        except Full:
            metrics.SHED.inc()
            raise Problem(
                Reason.OVERLOADED, f"the gateway works on {self._gateway.bound.limit} requests already: come back later"
            ) from None

    async def _body(self, request: Request, receive: Receive, caller: Caller) -> bytes:
        address = request.client.host if request.client else ""
        try:
            # Anonymous callers all have one name, which is no reason for them to share one caller's places.
            with self._gateway.bodies.slot(address if caller == ANONYMOUS else f"caller {caller.owner}"):
                return await read_body(receive)
        except Full:
            metrics.SHED.inc()
            raise Problem(
                Reason.OVERLOADED,
                f"{self._gateway.bodies.limit} bodies of yours are arriving already: send each of them whole",
            ) from None

    async def _relay(
        self, request: Request, body: bytes | None, reply: Reply, *, agent: AgentKey, caller: Caller
    ) -> None:
        run = request.path_params.get("run") or uuid.uuid4().hex
        signer = self._gateway.signer
        with span(
            f"gateway {'chat' if request.method == 'POST' else 'read'}",
            parent=incoming(request.headers),
            kind=SpanKind.SERVER,
            attributes={"slipway.agent": str(agent), "slipway.run": run},
        ) as current:
            call = Call(
                agent=agent,
                method=request.method,
                path=_host_path(request.path_params, agent),
                headers=self._headers(request, run=run),
                identity=lambda: signer.sign(caller, str(agent)),
                former_identity=lambda: signer.sign_with_former_key(caller, str(agent)),
                body=body,
                stream=wants_stream(request),
                seconds=SESSION_SECONDS if "session" in request.path_params else LONGEST_SECONDS,
            )
            await Relay(call=call, run=run, upstreams=self._gateway.upstreams, reply=reply).go()
            current.set_attribute("http.response.status_code", reply.status)

    def _headers(self, request: Request, *, run: str) -> Mapping[str, str]:
        """What a host gets to see: of the client's own headers only the few that it needs, never its key."""
        forwarded = {
            name.title(): ", ".join(request.headers.getlist(name)) for name in _FORWARDED if name in request.headers
        }
        if request.method == "POST":
            forwarded[RUN_HEADER] = run
        outgoing(forwarded)
        return forwarded


def _host_path(parameters: Mapping[str, str], agent: AgentKey) -> str:
    """The same path on the host, put together anew so that nothing of a client's spelling gets through."""
    for collection, parameter in (("runs", "run"), ("sessions", "session")):
        if parameter in parameters:
            return f"/agents/{agent}/{collection}/{quote(parameters[parameter], safe='')}"
    return f"/agents/{agent}/chat"
