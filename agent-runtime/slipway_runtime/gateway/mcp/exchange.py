"""One request of a client of MCP, and the way to answer it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request as HttpRequest

from slipway_runtime.gateway.asgi import Receive
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.identity import Caller
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.mcp import messages, results
from slipway_runtime.protocols.mcp.eras import SESSION_HEADER, Context
from slipway_runtime.protocols.mcp.messages import Json, Request, RpcError
from slipway_runtime.protocols.mcp.sealing import Kind, Sealer

JSON = {"content-type": "application/json", "cache-control": "no-store"}


@dataclass(frozen=True)
class Client:
    """Who asks a server, and at which one.

    Args:
        place: names the server, so that what is sealed for one is of no use at another.
        info: name and version of the server.
    """

    http: HttpRequest
    caller: Caller
    context: Context
    place: str
    info: Json
    sealer: Sealer

    def seal(self, kind: Kind, content: Json) -> str:
        """See `Sealer`."""
        return self.sealer.seal(kind, content, caller=self.caller, place=self.place)

    def open(self, kind: Kind, text: str) -> Any:
        """See `Sealer`. Raises NotSealed."""
        return self.sealer.open(kind, text, caller=self.caller, place=self.place)


@dataclass(frozen=True)
class Exchange:
    """A request that has been read and belongs to a known caller. Whoever has it answers it, once.

    Args:
        body: the request's as it came.
        prefix: what the server has put before the names of the source that answers; empty for none.
    """

    client: Client
    message: Request
    body: bytes
    reply: Reply
    receive: Receive
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer, besides those that each has."""

    @property
    def streams(self) -> bool:
        """Whether the client takes a stream."""
        accept = self.client.http.headers.get("accept", "*/*")
        return "text/event-stream" in accept or "*/*" in accept

    async def result(self, content: Json) -> None:
        """Answer with a result, which ends a stream that was begun."""
        method, client = self.message.method, self.client
        whole = results.finished(content, client.context, method=method, info=client.info)
        await self._end(200, messages.result(self.message.id, whole))

    async def error(self, error: RpcError) -> None:
        """Answer with an error of the protocol, which ends a stream that was begun."""
        await self._end(error.status if self.client.context.modern else 200, error.body(self.message.id))

    async def notify(self, method: str, params: Json) -> None:
        """Tell the client something before the answer."""
        await self._stream(messages.notification(method, params))

    async def ask(self, method: str, params: Json, kept: Json) -> None:
        """Ask the client something before the answer, in the era that has that. `ToolSource.answered` gets its answer.

        Args:
            kept: comes back with the client's answer; `source` in it is the key of whoever asks.
        """
        await self._stream(messages.request(self.client.seal("request", kept), method, params))

    async def ping(self) -> None:
        """Keep a stream alive on which nothing happens."""
        await self._write(sse.PING)

    async def _stream(self, message: bytes) -> None:
        await self._write(b"event: message\ndata: %s\n\n" % message)

    async def _write(self, data: bytes, *, more: bool = True) -> None:
        if not self.reply.begun:
            await self.reply.start(200, {"content-type": sse.MEDIA_TYPE, **sse.HEADERS})
        await self.reply.body(data, more=more)

    async def _end(self, status: int, message: bytes) -> None:
        if self.reply.begun:
            await self._write(b"event: message\ndata: %s\n\n" % message, more=False)
        else:
            await self.reply.whole(status, {**JSON, **self.headers}, message)

    def uri(self, uri: str) -> str:
        """A source's address of a resource as the server has it."""
        return outer_uri(self.prefix, uri)


def outer_uri(prefix: str, uri: str) -> str:
    """A source's address of a resource as the server has it that prefixes the source's names."""
    return f"{prefix}+{uri}" if prefix else uri


def session_header(sealed: str) -> Mapping[str, str]:
    """What tells a client its session."""
    return {SESSION_HEADER: sealed}
