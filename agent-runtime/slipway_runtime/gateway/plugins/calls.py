"""One message of a client for a plugin: what the gateway decides about it, and the answer that it gets.

The way of a call is short: the client's bytes go to the server as they are, unless a tool has another name there, and
the answer comes back as it comes. Only lists of tools are read, since not all of them are for everybody.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from mcp_types.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND

from slipway_runtime.gateway import access
from slipway_runtime.gateway.permissions import Action, Policy
from slipway_runtime.gateway.plugins.answer import NO_SESSION, PluginAnswer, once
from slipway_runtime.gateway.plugins.translating import OWN, Translation
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.identity import Caller
from slipway_runtime.plugins.answers import AnswerWatch, answer_in, changed, event_of
from slipway_runtime.plugins.discovery import MODERN
from slipway_runtime.plugins.event_streams import Content
from slipway_runtime.plugins.messages import (
    ENDLESS,
    EVENT_STREAM,
    JSON,
    SESSION_HEADER,
    ClientMessage,
    Kind,
    MessageRefused,
    error_body,
)
from slipway_runtime.plugins.server import PluginServer, ServerFailed, media_type
from slipway_runtime.plugins.tools import MOST_TOOLS, list_result
from slipway_runtime.plugins.watched import WatchedServer
from slipway_runtime.protocols.headers import GRANT_HEADER, IDEMPOTENCY_HEADER
from slipway_runtime.protocols.mcp.sealing import NotSealed, Sealer
from slipway_runtime.responses import InvalidAnswer, PodResponse
from slipway_runtime.telemetry.tracing import outgoing

SHORT = 64 * 1024
"""Bytes of an answer that is passed on as a whole."""


@dataclass(frozen=True)
class PluginCall:
    """A known caller's use of a plugin."""

    key: PluginKey
    plugin: WatchedServer
    caller: Caller
    policy: Policy
    sealer: Sealer
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    """Of the request, by names in small letters."""
    grant: Callable[[], str | None] = field(repr=False, default=lambda: None)
    """Makes the token with which the plugin may ask agents; None if it may ask none."""

    idempotency_key: str | None = None
    """Names the call for the server; None for one without a name."""

    @property
    def server(self) -> PluginServer:
        """What is called."""
        return self.plugin.server

    @property
    def _place(self) -> str:
        """Names the server, as what is sealed for it does."""
        return f"plugins/{self.key}"

    def session(self) -> str | None:
        """The server's id of the client's session; None if it has none.

        Raises:
            MessageRefused: for one that is not this caller's with this plugin.
        """
        given = self.headers.get(SESSION_HEADER)
        if given is None:
            return None
        try:
            return str(self.sealer.open("session", given, caller=self.caller, place=self._place)["upstream"])
        except (NotSealed, KeyError, TypeError):
            raise NO_SESSION from None

    def sealed(self, upstream: str) -> str:
        """What a client gets as id of a server's session."""
        return self.sealer.seal("session", {"upstream": upstream}, caller=self.caller, place=self._place)

    def server_name(self, message: ClientMessage) -> str | None:
        """What the server calls what the message is about.

        Raises:
            MessageRefused: for a tool that is none for this caller.
        """
        name = message.name
        if message.method != "tools/call" or name is None:
            return name
        access.note(tool=name)
        original = self.server.upstream.tools.original(name)
        if original is None or not self.policy.allows(self.caller, Action.ASK, self.key, tool=name):
            raise MessageRefused(INVALID_PARAMS, f"Unknown tool: {name[:128]}", message_id=message.id, status=200)
        return original

    def granted(self, message: ClientMessage) -> Mapping[str, str]:
        """The headers with the right to ask agents and with the call's name, for a call of a tool."""
        if message.method != "tools/call":
            return {}
        given = {GRANT_HEADER: self.grant(), IDEMPOTENCY_HEADER: self.idempotency_key}
        return {name: value for name, value in given.items() if value}

    def listed(self, content: Content, *, modern: bool) -> Content:
        """An answer to `tools/list` with the tools that are for this caller, and that clients of its era can read."""
        result = content.get("result")
        if not isinstance(result, dict) or not isinstance(result.get("tools"), list):
            return content
        shown = list_result(result, self.server.upstream.tools, modern=modern)
        known = self.plugin.known
        # Pages of a list are looked at apart, so it is what was found that says where the first thousand end.
        used = known.by_name if known is not None and len(known.tools) >= MOST_TOOLS else None
        allowed = [
            tool
            for tool in shown["tools"]
            if (used is None or tool["name"] in used)
            and self.policy.allows(self.caller, Action.LIST, self.key, tool=tool["name"])
        ]
        return {**content, "result": {**shown, "tools": allowed}}

    @asynccontextmanager
    async def posted(self, message: ClientMessage) -> AsyncIterator[PluginAnswer]:
        """The answer to a message.

        Raises:
            MessageRefused, ServerFailed.
        """
        name = self.server_name(message)
        found = await self.plugin.discovery()
        if not (found.era == MODERN if message.modern else found.sessions):
            async with Translation(self, found).posted(message) as answer:
                yield answer
            return
        body = message.renamed(name) if name is not None else message.raw
        headers = {**message.headers(name), **self.granted(message)}
        if not message.modern and (session := self.session()) is not None:
            headers["Mcp-Session-Id"] = session
        outgoing(headers)
        async with self.server.open("POST", headers, body, endless=message.method == ENDLESS) as response:
            yield await self._passed_on(message, response)

    async def _passed_on(self, message: ClientMessage, response: PodResponse) -> PluginAnswer:
        kind = media_type(response)
        headers = self._headers(response, kind)
        if response.status == 404 and kind != JSON:
            raise NO_SESSION if SESSION_HEADER in self.headers else self._nothing_there()
        if message.method == "tools/list" and message.kind is Kind.REQUEST and kind in (JSON, EVENT_STREAM):
            body = await self.server.whole(response)
            try:
                listed = changed(body, kind, partial(self.listed, modern=message.modern))
                return PluginAnswer(response.status, headers, once(listed))
            except ValueError as error:
                raise ServerFailed(
                    "InvalidAnswer", f"the server of plugin {self.key} gave tools/list: {error}"
                ) from None
        if (response.content_length or SHORT + 1) <= SHORT and kind == JSON:
            # In one piece: each that is sent costs the gateway as much as reading the message did.
            body = await self.server.whole(response)
            if message.answerable and response.status == 200:
                self._check_answers(message, body)
            return PluginAnswer(response.status, headers, once(b""), body)
        return PluginAnswer(response.status, headers, self._pieces(message, response, stream=kind == EVENT_STREAM))

    def _check_answers(self, message: ClientMessage, body: bytes) -> None:
        """Raises ServerFailed for an answer to another request."""
        try:
            answer_in(body, JSON, message.id)
        except ValueError as error:
            raise ServerFailed("InvalidAnswer", f"the server of plugin {self.key} gave {error}") from None

    def _nothing_there(self) -> ServerFailed:
        return ServerFailed("NotAnMcpServer", f"the server of plugin {self.key} answered 404: see the path of its URL")

    def _headers(self, response: PodResponse, kind: str) -> dict[str, str]:
        """What a client gets of a server's headers: nothing that it did not ask for."""
        headers = {"content-type": kind} if kind in (JSON, EVENT_STREAM) else {}
        if kind == EVENT_STREAM:
            headers["x-accel-buffering"] = "no"
        if session := response.headers.get("Mcp-Session-Id"):
            headers[SESSION_HEADER] = self.sealed(session)
        return headers

    async def _pieces(self, message: ClientMessage, response: PodResponse, *, stream: bool) -> AsyncIterator[bytes]:
        """The body as it comes. A stream that breaks off, or ends without an answer, ends with an error for the client,
        if it waits for an answer. Streams of sessions may end early: their clients come back for the rest."""
        watch = AnswerWatch(message.id) if stream and message.answerable else None
        try:
            while piece := await response.some():
                if watch is not None:
                    watch.feed(piece)
                yield piece
        except (aiohttp.ClientError, TimeoutError, ConnectionError, InvalidAnswer):
            if not stream or message.kind is not Kind.REQUEST:
                raise
            if watch is None or not watch.answered:
                yield self._ended(message, "broke off in the middle of its answer")
            return
        if watch is not None and not watch.answered_at_end():
            yield self._ended(message, "ended its stream without an answer")

    def _ended(self, message: ClientMessage, what: str) -> bytes:
        """What a stream ends with whose server gave no answer."""
        data = {"reason": "InvalidAnswer"}
        error = {"code": INTERNAL_ERROR, "message": f"the server of plugin {self.key} {what}", "data": data}
        return b"\n\n" + event_of({"jsonrpc": "2.0", "id": message.id, "error": error})

    @asynccontextmanager
    async def other(self, method: str) -> AsyncIterator[PluginAnswer]:
        """The answer to a GET, which is the stream of a session of 2025-11-25, or to a DELETE, which ends one.

        Raises:
            MessageRefused, ServerFailed.
        """
        session = self.session()
        if session == OWN and method == "DELETE":
            yield PluginAnswer(200, {}, once(b""))
            return
        if session is None or session == OWN:
            raise MessageRefused(METHOD_NOT_FOUND, "there is a stream for sessions only: post messages", status=405)
        headers = {"Accept": EVENT_STREAM if method == "GET" else JSON, "Mcp-Session-Id": session}
        for name, sent in (("mcp-protocol-version", "MCP-Protocol-Version"), ("last-event-id", "Last-Event-ID")):
            if name in self.headers:
                headers[sent] = self.headers[name]
        outgoing(headers)
        async with self.server.open(method, headers, endless=method == "GET") as response:
            kind = media_type(response)
            if response.status == 404:
                raise NO_SESSION
            headers = {"allow": "POST"} if response.status == 405 else self._headers(response, kind)
            yield PluginAnswer(response.status, headers, _rest(response))


async def _rest(response: PodResponse) -> AsyncIterator[bytes]:
    while piece := await response.some():
        yield piece


def failed(error: ServerFailed, message: ClientMessage | None) -> tuple[int, bytes]:
    """Status and body for a client whose server failed. Clients of 2025-11-25 end their session at a status of an
    error, so they get it in the body alone."""
    message_id = message.id if message is not None else None
    legacy = message is not None and message.kind is Kind.REQUEST and not message.modern
    data = {"reason": error.reason}
    return (200 if legacy else error.status), error_body(message_id, INTERNAL_ERROR, error.told, data)
