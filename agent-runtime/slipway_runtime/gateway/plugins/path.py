"""The path of a plugin: POST for messages, and for sessions of 2025-11-25 GET and DELETE."""

import logging
from contextlib import aclosing
from functools import partial

import aiohttp
from starlette.requests import Request

from slipway_runtime.gateway import access, metrics
from slipway_runtime.gateway.admission import Full, Shares
from slipway_runtime.gateway.asgi import Receive, unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import HostedPath, counted
from slipway_runtime.gateway.mcp.listening import STREAMS
from slipway_runtime.gateway.mcp.origins import check_origin
from slipway_runtime.gateway.permissions import Action, no_such_plugin, require
from slipway_runtime.gateway.plugins import listening
from slipway_runtime.gateway.plugins.answer import PluginAnswer
from slipway_runtime.gateway.plugins.calls import PluginCall, failed
from slipway_runtime.gateway.relay import CutOff, Reply
from slipway_runtime.gateway.requests import call_key
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.plugins.messages import JSON, ClientMessage, MessageRefused, decoded_headers, parse
from slipway_runtime.plugins.server import ServerFailed
from slipway_runtime.plugins.watched import WatchedServer
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import skin
from slipway_runtime.protocols.mcp.sealing import PURPOSE, Sealer
from slipway_runtime.responses import InvalidAnswer

log = logging.getLogger(__name__)

MESSAGE_BYTES = 4 * 1024 * 1024
"""Of one message of a client."""


class PluginPath(HostedPath):
    """The answer to a request for a plugin's tools, written while it comes from the server."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway, _problem)
        self._sealer = Sealer(lambda: gateway.signer.secrets(PURPOSE))
        self._streams = Shares(STREAMS)

    async def _identified(self, request: Request) -> tuple[Caller, Grant | None]:
        return await self._gateway.identify(request)

    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        key, plugin = await self._plugin_of(request, caller=caller, grant=grant)
        depth = grant.depth if grant else 0
        headers = decoded_headers(request.headers.raw)
        mint = partial(self._gateway.nesting.mint_for_plugin, caller, key, grant)
        named = call_key(request, owner=caller.owner, subject=f"plugin:{key}", within=grant.run if grant else None)
        call = PluginCall(key, plugin, caller, self._gateway.policy, self._sealer, dict(headers), mint, named)
        labels, about = (key.namespace, key.name), {"plugin": str(key)}
        counting = counted(reply, metrics.PLUGIN_SECONDS, metrics.PLUGIN_REQUESTS, labels=labels, about=about)
        with counting, self._gateway.long_bodies.held() as held:
            body = await self._body(request, receive, caller=caller, limit=MESSAGE_BYTES, held=held)
            if request.method != "POST":
                with self._admitted(depth=depth):
                    await unless_gone(self._other(call, request.method, reply), receive)
                return
            try:
                message = parse(body, headers)
            except MessageRefused as refused:
                await reply.whole(refused.status, {"content-type": JSON}, refused.body())
                return
            if await self._shares(call, message):
                await self._listened(call, message, reply, receive)
                return
            with self._admitted(depth=depth):
                await unless_gone(self._posted(call, message, reply), receive)

    async def _plugin_of(
        self, request: Request, *, caller: Caller, grant: Grant | None
    ) -> tuple[PluginKey, WatchedServer]:
        """The plugin that a caller may use. Raises Problem."""
        check_origin(request, self._gateway.allowed_origins, remedy=self._gateway.origin_remedy)
        key = PluginKey(request.path_params["namespace"], request.path_params["name"])
        plugin = self._gateway.plugins.get(key)
        if plugin is None:
            self._require_listed()
            raise no_such_plugin()
        access.note(plugin=key)
        require(self._gateway.policy, caller, Action.LIST, key)
        if grant is not None:
            await self._gateway.nesting.check_plugin(grant, key)
        return key, plugin

    async def _shares(self, call: PluginCall, message: ClientMessage) -> bool:
        """Whether the message is a subscription that is shared. One to a server that fails is answered as a call."""
        try:
            return await listening.shares(call, message)
        except ServerFailed:
            return False

    async def _listened(self, call: PluginCall, message: ClientMessage, reply: Reply, receive: Receive) -> None:
        """Who listens takes no place: it costs next to nothing. Raises Problem, ClientGone."""
        try:
            with self._streams.slot(call.caller.owner):
                await unless_gone(listening.listen(call, message, reply), receive)
        except Full:
            raise Problem(Reason.OVERLOADED, f"you listen on {STREAMS} streams already: close one") from None

    def _require_listed(self) -> None:
        if not self._gateway.plugins.listed:
            raise Problem(
                Reason.NOT_READY,
                "this gateway has not read the list of plugins yet: ask again, and see its /readyz if that lasts",
            )

    async def _posted(self, call: PluginCall, message: ClientMessage, reply: Reply) -> None:
        try:
            async with call.posted(message) as answer:
                await send(answer, reply)
        except MessageRefused as refused:
            refused.id = message.id
            await reply.whole(refused.status, {"content-type": JSON}, refused.body())
        except ServerFailed as error:
            status, body = failed(error, message)
            await reply.whole(status, {"content-type": JSON}, body)

    async def _other(self, call: PluginCall, method: str, reply: Reply) -> None:
        try:
            async with call.other(method) as answer:
                await send(answer, reply)
        except MessageRefused as refused:
            await reply.whole(refused.status, {"content-type": JSON, "allow": "POST"}, refused.body())
        except ServerFailed as error:
            status, body = failed(error, None)
            await reply.whole(status, {"content-type": JSON}, body)


async def send(answer: PluginAnswer, reply: Reply) -> None:
    """Raises CutOff if the answer breaks off after its beginning was sent."""
    if answer.whole is not None:
        await reply.whole(answer.status, answer.headers, answer.whole)
        return
    await reply.start(answer.status, answer.headers)
    try:
        async with aclosing(answer.body) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                await reply.body(piece, more=True)
    except (aiohttp.ClientError, TimeoutError, ConnectionError, InvalidAnswer) as error:
        raise CutOff from error
    await reply.body(b"")


def _problem(problem: Problem) -> skin.Answer:
    """A problem before there is a message to answer."""
    return skin.Answer(problem.status, problem.headers(), problem.body())
