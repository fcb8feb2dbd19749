"""One request of a client of MCP, and the way to answer it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request as HttpRequest

from slipway_runtime.gateway.asgi import Receive
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.identity import Caller
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
        """Answer with a result."""
        method, client = self.message.method, self.client
        whole = results.finished(content, client.context, method=method, info=client.info)
        await self.reply.whole(200, {**JSON, **self.headers}, messages.result(self.message.id, whole))

    async def error(self, error: RpcError) -> None:
        """Answer with an error of the protocol."""
        status = error.status if self.client.context.modern else 200
        await self.reply.whole(status, JSON, error.body(self.message.id))

    def uri(self, uri: str) -> str:
        """A source's address of a resource as the server has it."""
        return outer_uri(self.prefix, uri)


def outer_uri(prefix: str, uri: str) -> str:
    """A source's address of a resource as the server has it that prefixes the source's names."""
    return f"{prefix}+{uri}" if prefix else uri


def session_header(sealed: str) -> Mapping[str, str]:
    """What tells a client its session."""
    return {SESSION_HEADER: sealed}
