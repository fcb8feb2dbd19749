"""The gateway as an ASGI application: what each path does, who may ask, and what is measured about it.

Questions are parsed into an `Ask` here, and hosts give the events of the run, of which a skin makes the answer. What is
asked about sessions is passed on to hosts as it is.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

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
from slipway_runtime.gateway.relay import AsItComes, AtTheEnd, CutOff, Output, Relay, Reply
from slipway_runtime.gateway.requests import host_path, is_question, request_id
from slipway_runtime.gateway.routes import AgentKey, RouteTable
from slipway_runtime.gateway.upstream import LONGEST_SECONDS, Call, Upstreams
from slipway_runtime.identity import ANONYMOUS, Caller, Signer
from slipway_runtime.probes import readiness
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.asked import parse_input
from slipway_runtime.protocols.chat import Chat, wants_stream
from slipway_runtime.protocols.skin import Skin
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.telemetry.tracing import incoming, outgoing, span

RUN_HEADER = "X-Slipway-Run"
REQUEST_HEADER = "X-Slipway-Request"
QUICK_SECONDS = 60.0
"""How long it may take what no model is asked for: to read or delete a session, to cancel a run, to give an input."""
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
    smart_agent: AgentKey | None = None
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
            {
                "namespace": agent.namespace,
                "name": agent.name,
                "ready": pods > 0,
                **asdict(self.routes.description(agent)),
            }
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

    chat = Chat()
    of_agent = "/agents/{namespace}/{name}"
    return new_application(
        [
            Route(of_agent + "/chat", AgentPath(gateway, chat), methods=["POST"]),
            Route("/agent/chat", AgentPath(gateway, chat), methods=["POST"]),
            Route("/smart/chat", AgentPath(gateway, chat), methods=["POST"]),
            Route(of_agent + "/runs", AgentPath(gateway, chat), methods=["GET"]),
            Route(of_agent + "/runs/{run}", AgentPath(gateway, chat), methods=["GET", "DELETE"]),
            Route(of_agent + "/runs/{run}/input/{input}", AgentPath(gateway, chat), methods=["POST"]),
            Route(of_agent + "/sessions/{session}", AgentPath(gateway, chat), methods=["GET", "DELETE"]),
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


def _action(request: Request) -> Action:
    """What a request does with an agent."""
    if "input" in request.path_params:
        return Action.ANSWER
    return {"POST": Action.ASK, "DELETE": Action.DELETE}.get(request.method, Action.READ)


class AgentPath:
    """One of the paths that hosts answer, in the words of one skin: authenticate, admit, pass on."""

    def __init__(self, gateway: Gateway, skin: Skin) -> None:
        self._gateway = gateway
        self._skin = skin

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        reply = Reply(send, last=self._gateway.draining)
        try:
            await self._authenticated(scope, receive, reply)
        except Problem as problem:
            answer = self._skin.problem(problem)
            await reply.whole(answer.status, answer.headers, answer.body)

    async def _authenticated(self, scope: Message, receive: Receive, reply: Reply) -> None:
        request = Request(scope)
        caller = await self._gateway.authenticate(request)
        with access.logged(request, caller, reply):
            agent = self._agent(request)
            require(self._gateway.policy, caller, _action(request), agent)
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

    def _agent(self, request: Request) -> AgentKey:
        path = request.path_params
        if "name" not in path:
            return self._chosen(request.url.path)
        agent = AgentKey(path["namespace"], path["name"])
        if agent not in self._gateway.routes:
            raise no_such_agent()
        return agent

    def _chosen(self, path: str) -> AgentKey:
        """The agent that a value of the chart puts behind a path."""
        smart = path == "/smart/chat"
        agent = self._gateway.smart_agent if smart else self._gateway.default_agent
        if agent is None:
            what, value = ("smart agent", "gateway.smartAgent") if smart else ("default agent", "gateway.defaultAgent")
            raise Problem(
                Reason.AGENT_NOT_FOUND,
                f"there is no {what}: set the chart value {value} to namespace/name, or ask "
                "/agents/NAMESPACE/NAME/chat",
            )
        return agent

    async def _admitted(
        self, request: Request, receive: Receive, reply: Reply, *, agent: AgentKey, caller: Caller
    ) -> None:
        body = await self._body(request, receive, caller)
        sent = self._parsed(request, body) if request.method == "POST" else None
        try:
            with self._gateway.bound.slot(), metrics.IN_FLIGHT.track_inprogress():
                await unless_gone(self._relay(request, sent, reply, agent=agent, caller=caller), receive)
        except Full:
            metrics.SHED.inc()
            raise Problem(
                Reason.OVERLOADED, f"the gateway works on {self._gateway.bound.limit} requests already: come back later"
            ) from None

    def _parsed(self, request: Request, body: bytes) -> bytes:
        """What a host is sent for a POST. Raises Problem."""
        if is_question(request):
            return self._skin.parse(body, request.headers).to_json()
        return parse_input(body, request.headers).model_dump_json(exclude_none=True).encode()

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
        self, request: Request, sent: bytes | None, reply: Reply, *, agent: AgentKey, caller: Caller
    ) -> None:
        begins = request_id(request, owner=caller.owner, agent=agent) if request.method == "POST" else ""
        run = request.path_params.get("run") or begins or uuid.uuid4().hex
        of_a_run = is_question(request) or (request.method == "GET" and "run" in request.path_params)
        stream = of_a_run and wants_stream(request)
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
                path=host_path(request, agent, watch=stream or not of_a_run),
                headers=_headers(request, begins=begins, of_a_run=of_a_run, stream=stream),
                identity=lambda: signer.sign(caller, str(agent)),
                former_identity=lambda: signer.sign_with_former_key(caller, str(agent)),
                body=sent,
                stream=of_a_run,
                seconds=LONGEST_SECONDS if of_a_run else QUICK_SECONDS,
            )
            output = self._output(reply, run, stream=stream) if of_a_run else None
            await Relay(call=call, run=run, upstreams=self._gateway.upstreams, reply=reply, output=output).go()
            current.set_attribute("http.response.status_code", reply.status)

    def _output(self, reply: Reply, run: str, *, stream: bool) -> Output:
        return AsItComes(reply, self._skin.stream()) if stream else AtTheEnd(reply, self._skin.whole(run))


def _headers(request: Request, *, begins: str, of_a_run: bool, stream: bool) -> Mapping[str, str]:
    """What a host gets to see: nothing of the client's but where it wants to go on, and never its key."""
    headers = {"Accept": EVENT_STREAM if of_a_run else "application/json"}
    if begins:
        name = RUN_HEADER if is_question(request) else REQUEST_HEADER
        headers |= {"Content-Type": "application/json", name: begins}
    if stream and (last := request.headers.get("last-event-id")) is not None:
        headers["Last-Event-ID"] = last
    outgoing(headers)
    return headers
