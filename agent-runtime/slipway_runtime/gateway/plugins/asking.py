"""A call on the federated server by a client of 2025-11-25 that can be asked for something: in a session with the
server, if it has sessions.

The session is begun for the call and ends with it. What the server asks is sealed into the id by which the client is
asked, so any gateway takes the client's answer to the server.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcp_types.jsonrpc import INTERNAL_ERROR, METHOD_NOT_FOUND

from slipway_runtime.gateway.mcp.exchange import Exchange
from slipway_runtime.gateway.mcp.sources import SourceKey
from slipway_runtime.plugins.answers import answers
from slipway_runtime.plugins.discovery import LEGACY, ErrorAnswer, ServerLink, handshake, leave
from slipway_runtime.plugins.eras import ASKED, to_session
from slipway_runtime.plugins.event_streams import Content, EventReader, data_of, loads
from slipway_runtime.plugins.messages import EVENT_STREAM, ClientMessage, dumps
from slipway_runtime.plugins.server import PluginServer, ServerFailed, media_type
from slipway_runtime.plugins.watched import WatchedServer
from slipway_runtime.protocols.mcp.messages import Json
from slipway_runtime.telemetry.tracing import outgoing

if TYPE_CHECKING:
    from slipway_runtime.gateway.plugins.calls import PluginCall

Finished = Callable[[Exchange, Content], Awaitable[None]]
TOLD = ("notifications/progress", "notifications/message")


async def asks_in_session(exchange: Exchange, server: WatchedServer) -> bool:
    """Whether the client can be asked by its session, and the server can ask by one. Raises ServerFailed."""
    context = exchange.client.context
    if context.modern or not context.session or not context.asked or not exchange.streams:
        return False
    return (await server.discovery()).sessions


async def call_in_session(
    exchange: Exchange, call: "PluginCall", message: ClientMessage, key: SourceKey, *, finished: Finished
) -> None:
    """Call a tool.

    Args:
        finished: answers the exchange with the server's answer.

    Raises:
        MessageRefused, ServerFailed, ValueError: as a call without a session.
    """
    name, number = call.server_name(message), exchange.message.id
    try:
        link, _ = await handshake(call.server, capabilities=exchange.client.context.asked)
    except ErrorAnswer as error:
        raise ServerFailed("ServerRefused", f"the server of plugin {call.key} began no session: {error}") from None
    try:
        params = {**to_session(message.params), "name": name}
        body = dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
        headers = {**link.headers("tools/call"), **call.granted(message)}
        outgoing(headers)
        async with call.server.open("POST", headers, body) as response:
            if media_type(response) != EVENT_STREAM:
                await finished(exchange, loads(await call.server.whole(response)))
                return
            reader = EventReader()
            while piece := await response.some():
                for event in reader.feed(piece):
                    if (content := data_of(event)) is not None and await _taken(exchange, content, link, key, finished):
                        return
            raise ValueError("a stream without an answer")
    finally:
        await leave(link)


async def _taken(exchange: Exchange, content: Content, link: ServerLink, key: SourceKey, finished: Finished) -> bool:
    """Pass on one message of the server. Whether it was the answer."""
    method = content.get("method")
    if method is None:
        if answers(content, exchange.message.id):
            await finished(exchange, content)
            return True
    elif "id" not in content:
        if method in TOLD:
            await exchange.notify(str(method), content.get("params") or {})
    elif ASKED.get(str(method)) in exchange.client.context.asked and isinstance(content.get("params", {}), dict):
        kept = {"source": list(key), "session": link.session, "version": link.version, "id": content["id"]}
        await exchange.ask(str(method), content.get("params") or {}, kept)
    else:
        told = {"result": {}} if method == "ping" else {"error": _cannot(str(method))}
        await _post(link, {"jsonrpc": "2.0", "id": content["id"], **told})
    return False


async def give(server: PluginServer, kept: Mapping[str, Any], result: Json | None) -> None:
    """Take a client's answer to the server that asked; None for an error of the client."""
    link = ServerLink(server, LEGACY, session=kept["session"], version=kept["version"])
    failed = {"error": {"code": INTERNAL_ERROR, "message": "the client did not do what it was asked for"}}
    await _post(link, {"jsonrpc": "2.0", "id": kept["id"], **({"result": result} if result is not None else failed)})


async def _post(link: ServerLink, message: Content) -> None:
    with suppress(ServerFailed):  # the call ends without it
        async with link.server.open("POST", link.headers(""), dumps(message)):
            return


def _cannot(method: str) -> Content:
    return {"code": METHOD_NOT_FOUND, "message": f"the client has no {method[:100]}"}
