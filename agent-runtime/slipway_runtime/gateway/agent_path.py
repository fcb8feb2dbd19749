"""The paths that hosts answer: authenticate, admit, pass on.

Questions are parsed into an `Ask` here, and hosts give the events of the run, of which a skin makes the answer. What is
asked about sessions is passed on to hosts as it is.
"""

import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.responses import Response

from slipway_runtime.gateway import access, metrics
from slipway_runtime.gateway.admission import Full
from slipway_runtime.gateway.asgi import ClientGone, Message, Receive, Send, read_body, unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.permissions import Action, no_such_agent, require
from slipway_runtime.gateway.relay import AsItComes, AtTheEnd, CutOff, Output, Relay, Reply
from slipway_runtime.gateway.requests import host_path, is_question, request_id
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.gateway.upstream import LONGEST_SECONDS, Call
from slipway_runtime.grants import Grant
from slipway_runtime.identity import ANONYMOUS, Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.asked import InputBody, parse_input
from slipway_runtime.protocols.chat import wants_stream
from slipway_runtime.protocols.skin import Skin
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.telemetry.tracing import incoming, outgoing, span

RUN_HEADER = "X-Slipway-Run"
REQUEST_HEADER = "X-Slipway-Request"
SESSION_HEADER = "X-Slipway-Session"
NO_SESSION = "none"
"""What an agent asks another one is no turn of a conversation."""
QUICK_SECONDS = 60.0
"""How long it may take what no model is asked for: to read or delete a session, to cancel a run, to give an input."""
log = logging.getLogger(__name__)


def _action(request: Request) -> Action:
    """What a request does with an agent."""
    if "input" in request.path_params:
        return Action.ANSWER
    return {"POST": Action.ASK, "DELETE": Action.DELETE}.get(request.method, Action.READ)


@dataclass(frozen=True)
class Asked:
    """A request that a known caller may make of an agent."""

    request: Request
    agent: AgentKey
    caller: Caller
    grant: Grant | None

    @property
    def depth(self) -> int:
        """How many agents called each other on the way here."""
        return self.grant.depth if self.grant else 0

    @cached_property
    def begins(self) -> str:
        """The id of what a POST begins; empty for other methods. Raises Problem."""
        if self.request.method != "POST":
            return ""
        within = self.grant.run if self.grant else None
        return request_id(self.request, owner=self.caller.owner, agent=self.agent, within=within)

    @cached_property
    def run(self) -> str:
        """The run that it is about."""
        return str(self.request.path_params.get("run") or self.begins or uuid.uuid4().hex)


class AgentPath(Response):
    """The answer to a request for an agent, in the words of one skin, written while it comes from a host.

    It keeps nothing of a request, so one object answers all of them.

    Args:
        nested: for agents alone, which bring a grant.
    """

    def __init__(self, gateway: Gateway, skin: Skin, *, nested: bool = False) -> None:
        super().__init__()
        self._gateway = gateway
        self._skin = skin
        self._nested = nested

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        reply = Reply(send, last=self._gateway.draining)
        try:
            await self._authenticated(scope, receive, reply)
        except Problem as problem:
            answer = self._skin.problem(problem)
            await reply.whole(answer.status, answer.headers, answer.body)

    async def _authenticated(self, scope: Message, receive: Receive, reply: Reply) -> None:
        request = Request(scope)
        caller, grant = await self._gateway.identify(request)
        with access.logged(request, caller, reply):
            agent = self._agent(request)
            require(self._gateway.policy, caller, _action(request), agent)
            if grant is not None:
                await self._gateway.nesting.check(grant, request, agent)
            elif self._nested:
                raise Problem(Reason.UNAUTHENTICATED, "This path is for agents, which bring a grant: ask at .../chat.")
            await self._measured(Asked(request, agent, caller, grant), receive, reply)

    async def _measured(self, asked: Asked, receive: Receive, reply: Reply) -> None:
        agent = asked.agent
        began = time.perf_counter()
        try:
            await self._admitted(asked, receive, reply)
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

    async def _admitted(self, asked: Asked, receive: Receive, reply: Reply) -> None:
        body = await self._body(asked.request, receive, asked.caller)
        sent = self._parsed(asked, body) if asked.request.method == "POST" else None
        try:
            with self._gateway.bound.slot(depth=asked.depth), metrics.IN_FLIGHT.track_inprogress():
                await unless_gone(self._relay(asked, sent, reply), receive)
        except Full:
            metrics.SHED.inc()
            raise Problem(
                Reason.OVERLOADED, f"the gateway works on {self._gateway.bound.limit} requests already: come back later"
            ) from None

    def _parsed(self, asked: Asked, body: bytes) -> bytes:
        """What a host is sent for a POST. Raises Problem."""
        request, mint = asked.request, self._gateway.nesting.mint
        if is_question(request):
            grant = mint(asked.caller, agent=asked.agent, run=asked.run, within=asked.grant)
            return self._skin.parse(body, request.headers).model_copy(update={"grant": grant}).to_json()
        grant = mint(asked.caller, agent=asked.agent, run=asked.run)
        return parse_input(body, request.headers, InputBody).renewed(grant).model_dump_json(exclude_none=True).encode()

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

    async def _relay(self, asked: Asked, sent: bytes | None, reply: Reply) -> None:
        request, agent, caller, run = asked.request, asked.agent, asked.caller, asked.run
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
                headers={
                    **_headers(request, begins=asked.begins, of_a_run=of_a_run, stream=stream),
                    **({SESSION_HEADER: NO_SESSION} if self._nested else {}),
                },
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
