"""Plugins as a part of the federated MCP server: each of their tools, for whom it is."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from mcp_types import CLIENT_CAPABILITIES_META_KEY, PROTOCOL_VERSION_META_KEY, jsonrpc
from mcp_types.version import LATEST_MODERN_VERSION

from slipway_runtime.gateway.asgi import unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.mcp.exchange import Client, Exchange
from slipway_runtime.gateway.mcp.servers import COMPLETE
from slipway_runtime.gateway.mcp.sources import KnownSource, Listing, SourceKey, ToolSource
from slipway_runtime.gateway.permissions import Action
from slipway_runtime.gateway.plugins.answer import PluginAnswer
from slipway_runtime.gateway.plugins.asking import asks_in_session, call_in_session, give
from slipway_runtime.gateway.plugins.calls import PluginCall
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.identity import Caller
from slipway_runtime.plugins.answers import answers
from slipway_runtime.plugins.eras import only_what_it_can
from slipway_runtime.plugins.event_streams import Content, EventReader, TooLong, data_of, loads
from slipway_runtime.plugins.messages import EVENT_STREAM, ClientMessage, Kind, MessageRefused, dumps
from slipway_runtime.plugins.server import ServerFailed
from slipway_runtime.protocols.mcp.eras import NAMED_BY, no_such_method
from slipway_runtime.protocols.mcp.messages import Id, Json, Request, RpcError
from slipway_runtime.protocols.mcp.resources import with_outer_uris
from slipway_runtime.responses import InvalidAnswer

KIND = "plugins"
COMPLETIONS = "completions"
MODERN_ONLY = ("resultType", "ttlMs", "cacheScope")
LONGEST_ANSWER = 8 * 1024 * 1024
BROKEN = (aiohttp.ClientError, TimeoutError, ConnectionError, InvalidAnswer, ValueError)


@dataclass(frozen=True)
class PluginSource:
    """See `ToolSource`."""

    gateway: Gateway
    plugin: PluginKey

    @property
    def key(self) -> SourceKey:
        """See `ToolSource`."""
        return SourceKey(KIND, self.plugin.namespace, self.plugin.name)

    @property
    def capabilities(self) -> Json:
        """See `ToolSource`."""
        server = self.gateway.plugins.get(self.plugin)
        found = server.known.capabilities if server is not None and server.known is not None else {}
        return {COMPLETIONS: {}} if COMPLETIONS in found else {}

    @property
    def version(self) -> object:
        """See `ToolSource`."""
        server = self.gateway.plugins.get(self.plugin)
        found = server.known if server is not None else None
        if found is None:
            return None
        return (found.tools, found.offers, self.gateway.routes.access(self.plugin))

    async def listing(self, caller: Caller) -> Listing:
        """See `ToolSource`. What was found last counts; a server that was never reached has nothing."""
        server = self.gateway.plugins.get(self.plugin)
        if server is None or server.known is None:
            return Listing()
        allows = self.gateway.policy.allows
        tools, offers = server.known.tools, server.known.offers
        return Listing(
            tools=tuple(each.definition for each in tools if allows(caller, Action.LIST, self.plugin, tool=each.name)),
            resources=offers.resources,
            templates=offers.templates,
            prompts=offers.prompts,
        )

    def followed(self) -> AbstractAsyncContextManager[object]:
        """See `ToolSource`: by a subscription to the server, which all share who listen."""
        server = self.gateway.plugins.get(self.plugin)
        return nullcontext() if server is None else server.changes.followed()

    async def answer(self, exchange: Exchange, name: str) -> None:
        """See `ToolSource`."""
        if exchange.message.method not in (*NAMED_BY, COMPLETE):
            raise no_such_method(exchange.message.method)
        await unless_gone(self._called(exchange, name), exchange.receive)

    async def resume(self, client: Client, kept: Mapping[str, Any], reply: Reply) -> None:
        """See `ToolSource`. No stream of a plugin can be resumed here."""
        raise RpcError(jsonrpc.INVALID_PARAMS, "This stream cannot be resumed: call the tool again")

    async def answered(self, client: Client, kept: Mapping[str, Any], result: Json | None) -> None:
        """See `ToolSource`."""
        if (server := self.gateway.plugins.get(self.plugin)) is not None:
            await give(server.server, kept, result)

    async def cancelled(self, client: Client, request: Id) -> None:
        """See `ToolSource`. A client's closed connection ends a call."""

    async def _called(self, exchange: Exchange, name: str) -> None:
        server = self.gateway.plugins.get(self.plugin)
        if server is None:
            raise RpcError(jsonrpc.INVALID_PARAMS, f"There is no tool {name[:200]}")
        client = exchange.client
        mint = partial(self.gateway.nesting.mint_for_plugin, client.caller, self.plugin)
        call = PluginCall(self.plugin, server, client.caller, self.gateway.policy, client.sealer, grant=mint)
        message = _message(exchange, name)
        try:
            if message.method == "tools/call" and await asks_in_session(exchange, server):
                await call_in_session(exchange, call, message, self.key, finished=_finished)
                return
            async with call.posted(message) as answer:
                await _passed_on(exchange, answer)
        except MessageRefused as refused:
            raise RpcError(refused.code, refused.message, refused.data) from None
        except ServerFailed as error:
            raise RpcError(jsonrpc.INTERNAL_ERROR, error.told, {"reason": error.reason}) from None
        except TooLong as error:
            said = f"the server of plugin {self.plugin} sent {error}"
            raise RpcError(jsonrpc.INTERNAL_ERROR, said, {"reason": "AnswerTooLarge"}) from None
        except BROKEN:
            raise RpcError(
                jsonrpc.INTERNAL_ERROR, f"the server of plugin {self.plugin} broke off in the middle of its answer"
            ) from None


def _message(exchange: Exchange, name: str) -> ClientMessage:
    """The request as a client of 2026-07-28 makes it. What the client can do for a server goes on for a client of the
    same era only."""
    message, context = exchange.message, exchange.client.context
    meta = {key: value for key, value in message.meta.items() if key == "progressToken" or key.startswith("trace")}
    able = context.asked if context.modern else {}
    meta |= {PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION, CLIENT_CAPABILITIES_META_KEY: able}
    answers = {key: message.params[key] for key in ("inputResponses", "requestState") if able and key in message.params}
    params = {**_about(message, name), **answers, "_meta": meta}
    content = {"jsonrpc": "2.0", "id": message.id, "method": message.method, "params": params}
    return ClientMessage(
        Kind.REQUEST, dumps(content), content, message.method, message.id, params, LATEST_MODERN_VERSION, True, {}
    )


def _about(message: Request, name: str) -> Json:
    """The parameters of a request, with the name that the server knows."""
    if message.method == COMPLETE:
        reference = message.params["ref"]
        known = {"name" if reference["type"] == "ref/prompt" else "uri": name}
        given = {key: message.params[key] for key in ("argument", "context") if key in message.params}
        return {"ref": {**reference, **known}, **given}
    given = {} if message.method == "resources/read" else {"arguments": message.params.get("arguments") or {}}
    return {NAMED_BY[message.method]: name, **given}


async def _passed_on(exchange: Exchange, answer: PluginAnswer) -> None:
    """The answer in the words of the exchange. Raises RpcError for one that is an error, ValueError for one that is
    none."""
    if answer.headers.get("content-type") != EVENT_STREAM:
        body = answer.whole or b""
        async for piece in answer.body:
            body += piece
            if len(body) > LONGEST_ANSWER:
                raise TooLong(f"more than {LONGEST_ANSWER // 2**20} MiB")
        await _finished(exchange, loads(body))
        return
    reader = EventReader()
    async for piece in answer.body:
        for event in reader.feed(piece):
            content = data_of(event)
            if content is not None and await _taken(exchange, content):
                return
    for event in reader.end():
        if (content := data_of(event)) is not None and await _taken(exchange, content):
            return
    raise ValueError("a stream without an answer")


async def _taken(exchange: Exchange, content: Content) -> bool:
    """Pass on one message of a stream. Whether it was the answer."""
    if "method" not in content:
        if not answers(content, exchange.message.id):
            return False
        await _finished(exchange, content)
        return True
    if content["method"] in ("notifications/progress", "notifications/message") and "id" not in content:
        await exchange.notify(content["method"], content.get("params") or {})
    return False


async def _finished(exchange: Exchange, content: Content) -> None:
    error, result = content.get("error"), content.get("result")
    if not answers(content, exchange.message.id):
        raise ValueError("an answer to another request")
    if isinstance(result, dict) and result.get("resultType") != "input_required":
        kept = {name: value for name, value in result.items() if name not in MODERN_ONLY}
        await exchange.result(with_outer_uris(kept, exchange.uri))
        return
    context = exchange.client.context
    if isinstance(result, dict) and context.modern:
        asking = only_what_it_can(content, context.asked)
        if "error" not in asking:
            await exchange.result({name: value for name, value in result.items() if name != "_meta"})
            return
        error = asking["error"]
    if not isinstance(error, dict):
        raise ValueError("no answer")
    code = error.get("code")
    await exchange.error(
        RpcError(
            code if isinstance(code, int) else jsonrpc.INTERNAL_ERROR,
            str(error.get("message"))[:1000],
            error.get("data"),
        )
    )


class PluginSources:
    """See `ToolSources`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def known(self) -> list[KnownSource]:
        """See `ToolSources`."""
        plugins = self._gateway.plugins
        return [
            KnownSource(SourceKey(KIND, key.namespace, key.name), plugins.created(key), plugins.given(key))
            for key, _ in plugins.items()
        ]

    def of(self, caller: Caller) -> list[ToolSource]:
        """See `ToolSources`."""
        return [source for key, _ in self._gateway.plugins.items() if (source := self._source(key, caller))]

    def get(self, key: SourceKey, caller: Caller) -> ToolSource | None:
        """See `ToolSources`."""
        return self._source(PluginKey(key.namespace, key.name), caller) if key.kind == KIND else None

    def _source(self, key: PluginKey, caller: Caller) -> ToolSource | None:
        gateway = self._gateway
        known = gateway.plugins.get(key) is not None and gateway.policy.allows(caller, Action.LIST, key)
        return PluginSource(gateway, key) if known else None
