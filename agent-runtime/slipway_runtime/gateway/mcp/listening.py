"""`subscriptions/listen`: a stream that says when a list has changed, of whichever source."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

import orjson
from mcp_types import jsonrpc

from slipway_runtime.gateway.admission import Full, Shares
from slipway_runtime.gateway.asgi import unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.mcp.exchange import Exchange
from slipway_runtime.gateway.mcp.servers import Server
from slipway_runtime.gateway.mcp.sources import Listing
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.mcp.messages import Json, RpcError
from slipway_runtime.protocols.sse import PING_SECONDS

LISTEN = "subscriptions/listen"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
"""Key in `_meta` of what is sent on such a stream."""
KINDS: Mapping[str, tuple[str, ...]] = {
    "tools": ("tools",),
    "resources": ("resources", "templates"),
    "prompts": ("prompts",),
}
"""Fields of a listing by the kind of what changes."""
LOOK_SECONDS = 0.5
"""How often it is looked whether something may have changed."""
STREAMS = 16
"""Streams that one caller may have open."""


class Listening:
    """Of one path."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._streams = Shares(STREAMS)

    async def listen(self, exchange: Exchange, server: Server) -> None:
        """Tell a client of changes until it leaves or the gateway shuts down. Raises RpcError, Problem, ClientGone."""
        wanted = exchange.message.params["notifications"]
        kinds = tuple(kind for kind in KINDS if wanted.get(f"{kind}ListChanged"))
        if not exchange.streams:
            raise RpcError(jsonrpc.INVALID_REQUEST, "Listening takes a stream: accept text/event-stream", status=406)
        try:
            with self._streams.slot(exchange.client.caller.owner):
                await unless_gone(self._followed(exchange, server, kinds), exchange.receive)
        except Full:
            raise Problem(Reason.OVERLOADED, f"you listen on {STREAMS} streams already: close one") from None

    async def _followed(self, exchange: Exchange, server: Server, kinds: tuple[str, ...]) -> None:
        async with AsyncExitStack() as stack:
            for source in server.sources(exchange.client.caller):
                await stack.enter_async_context(source.followed())
            await self._tell(exchange, server, kinds)

    async def _tell(self, exchange: Exchange, server: Server, kinds: tuple[str, ...]) -> None:
        caller, about = exchange.client.caller, {SUBSCRIPTION: exchange.message.id}
        honoured = {f"{kind}ListChanged": True for kind in kinds}
        version, listed = server.version(caller), _digests(await server.listing(caller))
        await exchange.notify("notifications/subscriptions/acknowledged", {"_meta": about, "notifications": honoured})
        silent = 0.0
        while not self._gateway.draining:
            await asyncio.sleep(LOOK_SECONDS)
            silent += LOOK_SECONDS
            if (now := server.version(caller)) != version:
                version, before, listed = now, listed, _digests(await server.listing(caller))
                for kind in (kind for kind in kinds if listed[kind] != before[kind]):
                    await exchange.notify(f"notifications/{kind}/list_changed", {"_meta": about})
                    silent = 0.0
            if silent >= PING_SECONDS:
                await exchange.ping()
                silent = 0.0
        await exchange.result({"_meta": about})


def _digests(listing: Listing) -> dict[str, bytes]:
    """What says whether two listings are the same, by kind."""
    return {kind: _digest({name: getattr(listing, name) for name in fields}) for kind, fields in KINDS.items()}


def _digest(listed: Json) -> bytes:
    return orjson.dumps(listed)
