"""A path where clients of MCP ask, in both eras.

It keeps nothing between requests. A session of the era of handshakes is in its id, which the client sends along: any
replica goes on with it, and that of another caller opens for nobody.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

import orjson
from mcp_types import jsonrpc
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request as HttpRequest

from slipway_runtime.gateway.asgi import Receive
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import HostedPath
from slipway_runtime.gateway.mcp.exchange import JSON, Client, Exchange, session_header
from slipway_runtime.gateway.mcp.listening import KINDS, LISTEN, Listening
from slipway_runtime.gateway.mcp.origins import check_origin
from slipway_runtime.gateway.mcp.servers import Server
from slipway_runtime.gateway.mcp.sources import SourceKey, ToolSource
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.workflows.workers import check_reaches
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.plugins.tools import malformed
from slipway_runtime.problems import Problem
from slipway_runtime.protocols.mcp import eras, messages, results
from slipway_runtime.protocols.mcp.eras import Context
from slipway_runtime.protocols.mcp.messages import Json, Notification, Response, RpcError
from slipway_runtime.protocols.mcp.sealing import PURPOSE, NotSealed, Sealer
from slipway_runtime.protocols.skin import Answer

CANCEL_SECONDS = 5.0
SESSION_SECONDS = 7 * 24 * 3600
"""After which a client has to begin a new session."""
LISTS = {
    "tools/list": ("tools", "tools"),
    "resources/list": ("resources", "resources"),
    "resources/templates/list": ("resourceTemplates", "templates"),
    "prompts/list": ("prompts", "prompts"),
}
"""Key of the result and field of the listing, by method."""
FindServer = Callable[[HttpRequest, Caller], Server]
"""The server that a path names. Raises Problem where there is none for this caller."""


class McpPath(HostedPath):
    """See the module."""

    def __init__(self, gateway: Gateway, find: FindServer) -> None:
        super().__init__(gateway, _worded)
        self._find = find
        self._sealer = Sealer(lambda: gateway.signer.secrets(PURPOSE))
        self._listening = Listening(gateway)

    async def _identified(self, request: HttpRequest) -> tuple[Caller, Grant | None]:
        by_worker = self._gateway.identify_worker(request)
        return (by_worker.caller, by_worker) if by_worker else await super()._identified(request)

    async def _answered(
        self, request: HttpRequest, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        check_origin(request, self._gateway.allowed_origins, remedy=self._gateway.origin_remedy)
        if grant is not None:
            check_reaches(grant, request)
        server = self._find(request, caller)
        try:
            if request.method == "GET":
                with self._admitted():
                    await self._resume(self._client(request, caller, server), server, reply)
            elif request.method == "POST":
                await self._posted(request, receive, reply, caller, server)
            else:
                raise RpcError(
                    jsonrpc.INVALID_REQUEST, "Sessions are not ended here: they end by themselves", status=405
                )
        except RpcError as error:
            allow = {"allow": "GET, POST"} if error.status == 405 else {}
            await reply.whole(error.status if error.status != 200 else 400, {**JSON, **allow}, error.body(None))

    def _client(self, request: HttpRequest, caller: Caller, server: Server, context: Context | None = None) -> Client:
        """The client of a session, unless its context is given. Raises RpcError."""
        bare = Client(request, caller, context or Context(eras.UNSAID_VERSION), server.place, server.info, self._sealer)
        return (
            bare if context else Client(request, caller, self._session(bare), server.place, server.info, self._sealer)
        )

    def _session(self, client: Client) -> Context:
        """What a session's id says of its client. Raises RpcError."""
        sealed, version = (client.http.headers.get(name) for name in (eras.SESSION_HEADER, eras.VERSION_HEADER))
        if version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS:
            raise eras.unsupported(version)
        if sealed is None:
            return Context(version or eras.UNSAID_VERSION)
        try:
            kept = client.open("session", sealed)
        except NotSealed:
            kept = {"until": 0}
        if kept["until"] < time.time():
            raise RpcError(jsonrpc.INVALID_REQUEST, "Session not found: begin a new one with initialize", status=404)
        return Context(version or kept["version"], kept["capabilities"], kept["id"])

    async def _posted(
        self, request: HttpRequest, receive: Receive, reply: Reply, caller: Caller, server: Server
    ) -> None:
        with self._gateway.long_bodies.held() as held:
            body = await self._body(request, receive, caller=caller, limit=messages.MESSAGE_BYTES, held=held)
            message = messages.parse(body, request.headers)
            if isinstance(message, messages.Request):
                client = self._who(request, caller, server, message)
                await self._requested(Exchange(client, message, body, reply, receive), server)
            else:
                with self._admitted():
                    client = self._client(request, caller, server, _told(message, request))
                    await self._told(client, server, message)
                    await reply.whole(202, {}, b"")

    def _who(self, request: HttpRequest, caller: Caller, server: Server, message: messages.Request) -> Client:
        try:
            if eras.is_modern(message, request.headers):
                return self._client(request, caller, server, eras.modern_context(message, request.headers))
            if message.method == "initialize":
                return self._client(
                    request, caller, server, Context(eras.negotiated(message.params.get("protocolVersion")))
                )
            return self._client(request, caller, server)
        except RpcError as error:
            raise _Answered(message, error) from None

    async def _requested(self, exchange: Exchange, server: Server) -> None:
        client, message = exchange.client, exchange.message
        try:
            eras.validated(message, client.context.version)
            # Who listens for changes costs next to nothing, and so takes no place.
            with nullcontext() if message.method == LISTEN else self._admitted():
                await self._done(exchange, server)
        except RpcError as error:
            await exchange.error(error)

    async def _done(self, exchange: Exchange, server: Server) -> None:
        method, caller = exchange.message.method, exchange.client.caller
        if method == "initialize":
            await self._begin(exchange, server)
        elif method == "ping":
            await exchange.result({})
        elif method == "server/discover":
            await exchange.result(
                {"supportedVersions": list(MODERN_PROTOCOL_VERSIONS), **_described(server, exchange.client.context)}
            )
        elif method in LISTS:
            key, part = LISTS[method]
            listed = getattr(await server.listing(caller), part)
            await exchange.result({key: _readable(listed, exchange.client.context) if key == "tools" else list(listed)})
        elif method == LISTEN:
            await self._listening.listen(exchange, server)
        else:
            await self._passed_on(exchange, server)

    async def _begin(self, exchange: Exchange, server: Server) -> None:
        """Answer `initialize`."""
        client = exchange.client
        kept = {
            "id": secrets.token_hex(16),
            "version": client.context.version,
            "capabilities": _small(exchange.message.params.get("capabilities")),
            "until": int(time.time()) + SESSION_SECONDS,
        }
        exchange = Exchange(
            client,
            exchange.message,
            exchange.body,
            exchange.reply,
            exchange.receive,
            headers=session_header(client.seal("session", kept)),
        )
        described = _described(server, client.context)
        await exchange.result({"protocolVersion": client.context.version, "serverInfo": server.info, **described})

    async def _passed_on(self, exchange: Exchange, server: Server) -> None:
        """Let a source answer."""
        method = exchange.message.method
        try:
            await server.answer(exchange, _name(exchange.message.params))
        except Problem as problem:
            wait = {} if problem.retry_after is None else {"retry-after": str(problem.retry_after)}
            exchange = replace(exchange, headers={**exchange.headers, **wait})
            if method != "tools/call" or exchange.reply.begun:
                await exchange.error(RpcError(jsonrpc.INTERNAL_ERROR, problem.detail, {"reason": problem.reason}))
                return
            await exchange.result(results.failed(f"{problem.reason}: {problem.detail}"))

    async def _told(self, client: Client, server: Server, message: Notification | Response) -> None:
        if isinstance(message, Response):
            source, kept = _opened(client, server, "request", str(message.id))
            await source.answered(client, kept, message.result)
        elif message.method == "notifications/cancelled" and client.context.session:
            request = message.params.get("requestId", "")
            await asyncio.gather(*(_cancelled(each, client, request) for each in server.sources(client.caller)))

    async def _resume(self, client: Client, server: Server, reply: Reply) -> None:
        last = client.http.headers.get("last-event-id")
        if last is None or not client.context.session:
            raise RpcError(
                jsonrpc.INVALID_REQUEST, "GET goes on with a stream: send Mcp-Session-Id and Last-Event-ID", status=405
            )
        source, kept = _opened(client, server, "event", last)
        await source.resume(client, kept, reply)


async def _cancelled(source: ToolSource, client: Client, request: messages.Id) -> None:
    """Tell a source, which may be another one than that of the request, and may be down."""
    with suppress(Problem, TimeoutError):
        async with asyncio.timeout(CANCEL_SECONDS):
            await source.cancelled(client, request)


class _Answered(RpcError):
    """An error before a request's client is known."""

    def __init__(self, message: messages.Request, error: RpcError) -> None:
        super().__init__(error.code, error.message, error.data, status=error.status)
        self._id = message.id

    def body(self, id_: messages.Id | None) -> bytes:
        return super().body(self._id)


def _opened(client: Client, server: Server, kind: Any, text: str) -> tuple[ToolSource, Json]:
    """The source that made an id, and what it kept in it."""
    try:
        kept = client.open(kind, text)
    except NotSealed:
        raise RpcError(jsonrpc.INVALID_REQUEST, "This id was not given to you here") from None
    source = server.source(SourceKey(*kept["source"]), client.caller)
    if source is None:
        raise RpcError(jsonrpc.INVALID_REQUEST, "What gave this id is not there any more")
    return source, kept


def _told(message: Notification | Response, request: HttpRequest) -> Context | None:
    """The client of a notification that carries all that it needs; None for one of a session."""
    version = request.headers.get(eras.VERSION_HEADER)
    if version in MODERN_PROTOCOL_VERSIONS and isinstance(message, Notification):
        return Context(version)
    return None


def _name(params: Json) -> str:
    """Of the tool, resource or prompt that a request is about; empty if it is about none."""
    about = params.get("ref") if isinstance(params.get("ref"), dict) else params
    return str(about.get("name") or about.get("uri") or "") if isinstance(about, dict) else ""


def _readable(tools: Iterable[Json], context: Context) -> list[Json]:
    """Those that a client can read: servers of 2026-07-28 may have schemas that older clients cannot."""
    return [tool for tool in tools if context.modern or not malformed(tool, modern=False)]


def _described(server: Server, context: Context) -> Json:
    """What a client gets to know of a server at first."""
    changes: Json = {"listChanged": True} if context.modern else {}
    offered = {kind: {**changes, **server.capabilities.get(kind, {})} for kind in KINDS}
    capabilities = {**server.capabilities, **offered}
    return {"capabilities": capabilities, **({"instructions": server.instructions} if server.instructions else {})}


def _small(capabilities: Any) -> Json:
    """What counts of a client's capabilities, which its session's id carries from then on."""
    declared = capabilities if isinstance(capabilities, dict) else {}
    return {
        name: {part: {} for part in parts if part in declared[name]}
        for name, parts in eras.ASKED_OF_CLIENTS.items()
        if isinstance(declared.get(name), dict)
    }


def _worded(problem: Problem) -> Answer:
    """A problem in the protocol's words, for what is not about one request."""
    error = {"code": jsonrpc.INTERNAL_ERROR, "message": problem.detail, "data": {"reason": problem.reason}}
    body = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error})
    return Answer(problem.status, {**problem.headers(), "content-type": "application/json"}, body)
