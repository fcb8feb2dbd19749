"""The tool `ask`: a run of an agent as the answer to a call.

In the era of handshakes a client that leaves may come back: its run goes on, and its request's id names the run. In
revision 2026-07-28 to leave is to cancel.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from mcp_types import jsonrpc
from opentelemetry.trace import SpanKind

from slipway_runtime.events import Citation
from slipway_runtime.gateway.asgi import ClientGone, unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import upstream_request
from slipway_runtime.gateway.leaving import CANCEL_SECONDS, UNFOLLOWED_SECONDS, cancel
from slipway_runtime.gateway.mcp.agent_tools import AskArguments
from slipway_runtime.gateway.mcp.exchange import Client, Exchange, outer_uri
from slipway_runtime.gateway.mcp.inner import read_json
from slipway_runtime.gateway.mcp.sources import SourceKey
from slipway_runtime.gateway.permissions import DOCUMENTS_TOOL, Action
from slipway_runtime.gateway.relay import AsItComes, AtTheEnd, EventSink, Relay, Reply
from slipway_runtime.gateway.requests import request_id
from slipway_runtime.gateway.resuming import GONE
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.gateway.upstream import UpstreamRequest
from slipway_runtime.gateway.workflows.workers import presented
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import Ask, TextPart
from slipway_runtime.protocols.headers import NO_SESSION, REQUEST_HEADER, RUN_HEADER, SESSION_HEADER
from slipway_runtime.protocols.mcp import elicitation
from slipway_runtime.protocols.mcp.asked import INPUT, AskCall, AskStream, AskWhole, Standing, input_required
from slipway_runtime.protocols.mcp.documents import DocumentId
from slipway_runtime.protocols.mcp.eras import Context
from slipway_runtime.protocols.mcp.messages import Id, Json, RpcError
from slipway_runtime.protocols.mcp.sealing import Kind, NotSealed
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.telemetry.tracing import incoming, outgoing, span

QUICK_SECONDS = 60.0
NAMED_DIGITS = 16
"""Of a run's id that say which request of which session began it."""


class AskTool:
    """Of one agent."""

    def __init__(self, gateway: Gateway, agent: AgentKey, source: SourceKey) -> None:
        self._gateway = gateway
        self._agent = agent
        self._source = source

    async def answer(self, exchange: Exchange, arguments: AskArguments) -> None:
        """Answer a call. Raises RpcError, Problem, ClientGone."""
        state = exchange.message.params.get("requestState")
        if state is not None:
            kept = self._opened(exchange.client, state)
            responses = exchange.message.params.get("inputResponses") or {}
            if INPUT not in responses:
                await exchange.result(input_required(kept["form"], state))
                return
            await self.give(exchange.client, kept, responses[INPUT])
            await self._go(exchange, self._question(exchange, kept["run"]), _standing(kept))
            return
        asked = self._question(exchange, self._run(exchange))
        ask = Ask(parts=(TextPart(text=arguments.question),), session=arguments.session)
        await self._go(exchange, asked, None, ask=ask)

    def _opened(self, client: Client, state: object) -> Mapping[str, Any]:
        try:
            kept: Mapping[str, Any] = client.open("state", str(state))
        except NotSealed:
            kept = {}
        if kept.get("agent") != str(self._agent):
            raise RpcError(jsonrpc.INVALID_PARAMS, "This requestState was not given to you for this tool")
        return kept

    def _run(self, exchange: Exchange) -> str:
        client = exchange.client
        if not client.context.session:
            return request_id(client.http, owner=client.caller.owner, agent=self._agent)
        said = orjson.dumps(exchange.message.params, option=orjson.OPT_SORT_KEYS)
        return self._named(client, exchange.message.id) + hashlib.sha256(said).hexdigest()[:NAMED_DIGITS]

    def _named(self, client: Client, request: Id) -> str:
        """How the ids of runs begin that a request of a session began."""
        name = [client.caller.owner, str(self._agent), client.context.session, request]
        return hashlib.sha256(orjson.dumps(name)).hexdigest()[:NAMED_DIGITS]

    def _question(self, exchange: Exchange, run: str) -> AskCall:
        context = exchange.client.context
        if not exchange.streams and not context.modern:  # no stream, no requests to the client
            context = replace(context, capabilities={})
        id_, token = exchange.message.id, exchange.message.progress_token
        return self._of(exchange.client, run, id_=id_, token=token, prefix=exchange.prefix, context=context)

    def _of(self, client: Client, run: str, *, id_: Id, token: Id | None, prefix: str, context: Context) -> AskCall:
        def seal(kind: Kind, content: Json) -> str:
            return client.seal(kind, {"source": tuple(self._source), "prefix": prefix, **content})

        return AskCall(
            id=id_,
            token=token,
            agent=str(self._agent),
            run=run,
            context=context,
            caller=client.caller,
            info=client.info,
            seal=seal,
            uri=partial(self._uri, client.caller, prefix),
        )

    def _uri(self, caller: Caller, prefix: str, citation: Citation) -> str | None:
        """Where the caller reads a document; None if that is not here, or not for this caller."""
        if not self._gateway.routes.description(self._agent).knowledge:  # what a member quotes is not here
            return None
        if not self._gateway.policy.allows(caller, Action.ASK, self._agent, tool=DOCUMENTS_TOOL):
            return None
        return outer_uri(prefix, DocumentId(citation.index, citation.source, citation.document).uri)

    async def _go(
        self, exchange: Exchange, question: AskCall, standing: Standing | None, *, ask: Ask | None = None
    ) -> None:
        client, reply = exchange.client, exchange.reply
        streams = exchange.streams
        call = self._begun(client, question, ask, watch=streams) if ask else self._followed(client, question, standing)
        output: EventSink = (
            AsItComes(reply, AskStream(question, standing))
            if streams
            else AtTheEnd(reply, AskWhole(question, standing))
        )
        try:
            await unless_gone(self._relay(client, question, call, output, reply), exchange.receive)
        except ClientGone:
            if client.context.modern and not reply.ended:
                await self._stop(client.caller, question.run)
            raise

    async def _relay(
        self, client: Client, question: AskCall, call: UpstreamRequest, output: EventSink, reply: Reply
    ) -> None:
        with span(
            "gateway mcp ask",
            parent=incoming(client.http.headers),
            kind=SpanKind.SERVER,
            attributes={"slipway.agent": str(self._agent), "slipway.run": question.run},
        ) as current:
            relay = Relay(
                call=call,
                run=question.run,
                upstreams=self._gateway.upstreams,
                reply=reply,
                output=output,
                refusals_as_they_are=False,
            )
            await relay.go()
            current.set_attribute("http.response.status_code", reply.status)

    def _begun(self, client: Client, question: AskCall, ask: Ask, *, watch: bool) -> UpstreamRequest:
        terms = self._gateway.terms(client.caller, agent=self._agent, run=question.run)
        unfollowed = UNFOLLOWED_SECONDS if client.context.modern else None
        body = ask.model_copy(update={**terms, "unfollowed_seconds": unfollowed}).to_json()
        headers = {"Content-Type": "application/json", RUN_HEADER: question.run}
        if presented(client.http):  # a step of a workflow, of which there is no next question
            headers[SESSION_HEADER] = NO_SESSION
        query = "" if watch else "?watch=false"
        return self._stream(client.caller, "POST", f"/agents/{self._agent}/runs{query}", headers, body)

    def _followed(self, client: Client, question: AskCall, standing: Standing | None) -> UpstreamRequest:
        headers = {"Last-Event-ID": standing.place} if standing and standing.place else {}
        return self._stream(client.caller, "GET", f"/agents/{self._agent}/runs/{question.run}", headers, None)

    def _stream(
        self, caller: Caller, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> UpstreamRequest:
        sent = {"Accept": EVENT_STREAM, **headers}
        outgoing(sent)
        return self._call(caller, method, path, headers=sent, body=body, stream=True)

    def _call(self, caller: Caller, method: str, path: str, **more: Any) -> UpstreamRequest:
        return upstream_request(self._gateway, method, path, agent=self._agent, caller=caller, **more)

    async def resume(self, client: Client, kept: Mapping[str, Any], reply: Reply) -> None:
        """Go on with a stream. Raises Problem."""
        if kept["over"]:
            await reply.whole(200, AskStream.headers, b"")
            return
        standing = _standing(kept)
        id_, token, prefix = kept["id"], kept["token"], kept["prefix"]
        question = self._of(client, kept["run"], id_=id_, token=token, prefix=prefix, context=client.context)
        output = AsItComes(reply, AskStream(question, standing))
        await self._relay(client, question, self._followed(client, question, standing), output, reply)

    async def give(self, client: Client, kept: Mapping[str, Any], answer: Json | None) -> None:
        """Give the run the input that its user was asked for; one that is closed is let be. Raises Problem."""
        run, input_ = kept["run"], kept["input"]
        grant = self._gateway.nesting.mint(client.caller, agent=self._agent, run=run)
        body = elicitation.given(kept["kind"], answer).renewed(grant).model_dump_json(exclude_none=True).encode()
        name = hashlib.sha256(orjson.dumps([run, input_, answer])).hexdigest()[:32]
        headers = {"Accept": "application/json", "Content-Type": "application/json", REQUEST_HEADER: name}
        path = f"/agents/{self._agent}/runs/{run}/input/{input_}"
        call = self._call(client.caller, "POST", path, headers=headers, body=body, seconds=QUICK_SECONDS)
        try:
            await read_json(self._gateway.upstreams, call)
        except Problem as problem:
            if problem.reason is not Reason.INPUT_NOT_OPEN and problem.reason not in GONE:
                raise

    async def _stop(self, caller: Caller, run: str) -> None:
        path = f"/agents/{self._agent}/runs/{run}"
        call = self._call(caller, "DELETE", path, headers={}, seconds=CANCEL_SECONDS)
        await cancel(self._gateway.upstreams, call, run=run)

    async def cancel(self, client: Client, request: Id) -> None:
        """Cancel the runs that a request of a session began. Raises Problem."""
        begin = self._named(client, request)
        for state in ("running", "waiting"):
            path = f"/agents/{self._agent}/runs?state={state}"
            call = self._call(client.caller, "GET", path, headers={"Accept": "application/json"}, seconds=QUICK_SECONDS)
            found = await read_json(self._gateway.upstreams, call)
            for run in (each["run_id"] for each in found["runs"] if each["run_id"].startswith(begin)):
                await self._stop(client.caller, run)


def _standing(kept: Mapping[str, Any]) -> Standing:
    """How far the client of a sealed state or event is."""
    return Standing(kept["place"], kept["progress"], kept.get("session"))
