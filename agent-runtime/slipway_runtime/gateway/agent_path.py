"""The paths of chat, runs and sessions.

Questions are parsed into an `Ask` here, and hosts give the events of the run, of which a skin makes the answer. What is
asked about sessions is passed on to hosts as it is.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from opentelemetry.trace import SpanKind
from starlette.requests import Request

from slipway_runtime.gateway.asgi import BODY_LIMIT, Receive, unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import HostedPath
from slipway_runtime.gateway.inner_calls import fetch
from slipway_runtime.gateway.permissions import Action, no_such_agent, require
from slipway_runtime.gateway.relay import AsItComes, AtTheEnd, EventSink, Relay, Reply
from slipway_runtime.gateway.requests import host_path, is_question, request_id
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.gateway.upstream import LONGEST_SECONDS
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import LARGE_ASK_BYTES
from slipway_runtime.protocols.asked import HostInput, InputBody, parse_input
from slipway_runtime.protocols.chat import wants_stream
from slipway_runtime.protocols.headers import NO_SESSION, REQUEST_HEADER, RUN_HEADER, SESSION_HEADER
from slipway_runtime.protocols.skin import Skin
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.telemetry.tracing import incoming, outgoing, span

QUICK_SECONDS = 60.0
"""How long it may take what no model is asked for: to read or delete a session, to cancel a run, to give an input."""


def _action(request: Request) -> Action:
    """What a request does with an agent."""
    if "input" in request.path_params:
        return Action.ANSWER
    return {"POST": Action.ASK, "DELETE": Action.DELETE}.get(request.method, Action.READ)


@dataclass(frozen=True)
class PermittedRequest:
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


class AgentPath(HostedPath):
    """A path that names its agent, or that a value of the chart gives an agent.

    Args:
        nested: for agents alone, which bring a grant.
    """

    def __init__(self, gateway: Gateway, skin: Skin, *, nested: bool = False) -> None:
        super().__init__(gateway, skin.problem)
        self._skin = skin
        self._nested = nested

    async def _identified(self, request: Request) -> tuple[Caller, Grant | None]:
        return await self._gateway.identify(request)

    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        agent = self._agent(request)
        require(self._gateway.policy, caller, _action(request), agent)
        if grant is not None:
            await self._gateway.nesting.check(grant, request, agent)
        elif self._nested:
            raise Problem(Reason.UNAUTHENTICATED, "This path is for agents, which bring a grant: ask at .../chat.")
        asked = PermittedRequest(request, agent, caller, grant)
        with self._measured(agent, reply), self._gateway.long_bodies.held() as held:
            limit = LARGE_ASK_BYTES if is_question(request) else BODY_LIMIT
            body = await self._body(request, receive, caller=caller, limit=limit, held=held)
            sent = self._parsed(asked, body) if request.method == "POST" else None
            del body  # what is sent is as long
            with self._admitted(depth=asked.depth):
                await unless_gone(self._relay(asked, sent, reply), receive, answered=lambda: reply.ended)

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

    def _parsed(self, asked: PermittedRequest, body: bytes) -> bytes | HostInput:
        """What a host is sent for a POST. Raises Problem."""
        request = asked.request
        if is_question(request):
            terms = self._gateway.terms(asked.caller, agent=asked.agent, run=asked.run, within=asked.grant)
            return self._skin.parse(body, request.headers).model_copy(update=terms).to_json()
        grant = self._gateway.nesting.mint(asked.caller, agent=asked.agent, run=asked.run)
        return parse_input(body, request.headers, InputBody).renewed(grant)

    async def _with_grant(self, asked: PermittedRequest, given: HostInput) -> bytes:
        """An input as a host takes it, with a new grant for the run's caller where its agent may ask others."""
        if given.grant is not None:
            given = given.model_copy(update={"renewed_grant": await self._renewed_grant(asked)})
        return given.model_dump_json(exclude_none=True).encode()

    async def _renewed_grant(self, asked: PermittedRequest) -> str | None:
        """Raises Problem where the caller may not give the input."""
        request, agent = asked.request, asked.agent
        call = self._call(
            "GET",
            host_path(request, agent, watch=True).partition("?")[0] + "/grant",
            agent=agent,
            caller=asked.caller,
            headers={"Accept": "application/json"},
            seconds=QUICK_SECONDS,
        )
        try:
            kept = await fetch(self._gateway.upstreams, call)
        except Problem as problem:
            if problem.reason is Reason.NOT_FOUND:  # a host of a version before
                return None
            raise
        token = kept.get("grant") if isinstance(kept, dict) else None
        if not isinstance(token, str):
            return None
        own = kept.get("own") is True
        return self._gateway.nesting.renew(token, asked.caller, own=own, agent=agent, run=asked.run)

    async def _relay(self, asked: PermittedRequest, parsed: bytes | HostInput | None, reply: Reply) -> None:
        request, agent, run = asked.request, asked.agent, asked.run
        sent = await self._with_grant(asked, parsed) if isinstance(parsed, HostInput) else parsed
        of_a_run = is_question(request) or (request.method == "GET" and "run" in request.path_params)
        stream = of_a_run and wants_stream(request)
        with span(
            f"gateway {'chat' if request.method == 'POST' else 'read'}",
            parent=incoming(request.headers),
            kind=SpanKind.SERVER,
            attributes={"slipway.agent": str(agent), "slipway.run": run},
        ) as current:
            call = self._call(
                request.method,
                host_path(request, agent, watch=stream or not of_a_run),
                agent=agent,
                caller=asked.caller,
                headers={
                    **_headers(request, begins=asked.begins, of_a_run=of_a_run, stream=stream),
                    # What an agent asks another one is no turn of a conversation.
                    **({SESSION_HEADER: NO_SESSION} if self._nested else {}),
                },
                body=sent,
                stream=of_a_run,
                seconds=LONGEST_SECONDS if of_a_run else QUICK_SECONDS,
            )
            output = self._output(reply, run, stream=stream) if of_a_run else None
            await Relay(call=call, run=run, upstreams=self._gateway.upstreams, reply=reply, output=output).go()
            current.set_attribute("http.response.status_code", reply.status)

    def _output(self, reply: Reply, run: str, *, stream: bool) -> EventSink:
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
