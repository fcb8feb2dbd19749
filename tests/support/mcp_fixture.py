"""The server that the official conformance suite asks for, on our own MCP module: its tools, resources and prompts.

What each of them does is written in the suite's scenarios (`conformance list --server`). Unlike the gateway's own
sources it waits within a request for what it asks the client, so it is for one process.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, ClassVar

from mcp_types import jsonrpc
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from slipway_runtime.gateway.asgi import OwnNames, unless_gone
from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.mcp.exchange import Client, Exchange
from slipway_runtime.gateway.mcp.path import McpPath
from slipway_runtime.gateway.mcp.servers import SingleServer
from slipway_runtime.gateway.mcp.sources import Listing, SourceKey
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.routes import RouteTable
from slipway_runtime.identity import Caller, IdentitySigner
from slipway_runtime.protocols.mcp import results
from slipway_runtime.protocols.mcp.eras import no_such_method
from slipway_runtime.protocols.mcp.messages import Id, Json, RpcError
from slipway_runtime.settings import GatewaySettings
from tests.support.mcp_inputs import TOOLS as INPUT_TOOLS
from tests.support.mcp_inputs import asked_prompt, asked_tool
from tests.support.servers import free_port
from tests.support.serving import served

IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
AUDIO = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
STRING: Json = {"type": "string"}
PICTURE: Json = {"type": "image", "data": IMAGE, "mimeType": "image/png"}
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
PAUSE_SECONDS = 0.05
"""The suite wants notifications apart from each other."""
ANSWER_SECONDS = 30.0


def _embedded(uri: str, kind: str, text: str) -> Json:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}}


CONTENT: Mapping[str, list[Json]] = {
    "test_simple_text": [{"type": "text", "text": "This is a simple text response for testing."}],
    "test_image_content": [PICTURE],
    "test_audio_content": [{"type": "audio", "data": AUDIO, "mimeType": "audio/wav"}],
    "test_embedded_resource": [
        _embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        {"type": "text", "text": "Multiple content types test:"},
        PICTURE,
        _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
}
RESOURCES: Mapping[str, Json] = {
    "test://static-text": {"mimeType": "text/plain", "text": "This is the content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": IMAGE},
    "test://watched-resource": {"mimeType": "text/plain", "text": "Watched resource content"},
}
FORMS: Mapping[str, Json] = {
    "test_elicitation": {"username": STRING, "email": STRING},
    "test_elicitation_sep1034_defaults": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
    "test_elicitation_sep1330_enums": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": [{"const": "value1", "title": "First Option"}]},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": [{"const": "value1", "title": "First Choice"}]}},
    },
}
ARGUMENTS: Mapping[str, Json] = {"test_sampling": {"prompt": STRING}, "test_elicitation": {"message": STRING}}
PROMPTS: Mapping[str, tuple[str, ...]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}
TOOLS = (
    *CONTENT,
    *FORMS,
    *INPUT_TOOLS,
    *("test_error_handling", "test_tool_with_logging", "test_tool_with_progress", "test_sampling"),
    *("test_missing_capability", "test_streaming_elicitation", "test_logging_tool"),
    *("test_trigger_tool_change", "test_trigger_prompt_change"),
)


class FixtureSource:
    """See `ToolSource`."""

    key = SourceKey("fixtures", "test", "fixture")
    capabilities: ClassVar[Json] = {"logging": {}, "completions": {}, "resources": {"subscribe": True}}

    def __init__(self) -> None:
        self.version: object = 0
        self.more: list[str] = []
        self.more_prompts: list[str] = []
        self._waiting: dict[str, asyncio.Future[Json | None]] = {}

    async def listing(self, caller: Caller) -> Listing:
        template = {"uriTemplate": "test://template/{id}/data", "name": "template", "description": "A template"}
        return Listing(
            tools=tuple(results.tool(each, each, ARGUMENTS.get(each, {}), ()) for each in (*TOOLS, *self.more)),
            resources=tuple({"uri": uri, "name": uri, "description": "A resource"} for uri in RESOURCES),
            templates=(template,),
            prompts=tuple(
                {
                    "name": name,
                    "description": name,
                    "arguments": [{"name": each, "required": True} for each in arguments],
                }
                for name, arguments in (*PROMPTS.items(), *((each, ()) for each in self.more_prompts))
            ),
        )

    def followed(self) -> AbstractAsyncContextManager[object]:
        return nullcontext()

    async def answer(self, exchange: Exchange, name: str) -> None:
        method = exchange.message.method
        if method == "tools/call":
            await unless_gone(self._call(exchange, name), exchange.receive)
        elif method == "resources/read":
            await exchange.result({"contents": [_resource(name)]})
        elif method == "prompts/get":
            await exchange.result(_prompt(exchange, name))
        elif method == "completion/complete":
            await exchange.result({"completion": {"values": [], "total": 0, "hasMore": False}})
        elif method in ("logging/setLevel", "resources/subscribe", "resources/unsubscribe"):
            await exchange.result({})
        else:
            raise no_such_method(method)

    async def _call(self, exchange: Exchange, name: str) -> None:
        special = SPECIAL.get(name)
        if name in CONTENT:
            await exchange.result({"content": CONTENT[name]})
        elif name in FORMS:
            await self._elicit(exchange, FORMS[name])
        elif name in INPUT_TOOLS:
            await exchange.result(asked_tool(exchange, name))
        elif special is not None:
            await special(self, exchange)
        else:
            raise RpcError(jsonrpc.INVALID_PARAMS, f"Unknown tool: {name}")

    async def _elicit(self, exchange: Exchange, properties: Json) -> None:
        if exchange.client.context.modern or not exchange.client.context.elicits:
            await exchange.result(results.failed("Elicitation not supported"))
            return
        schema = {"type": "object", "properties": properties, "required": []}
        message = exchange.message.params.get("arguments", {}).get("message", "Please answer")
        said = await self._asked(exchange, "elicitation/create", {"message": message, "requestedSchema": schema}) or {}
        words = f"action={said.get('action')}, content={json.dumps(said.get('content', {}))}"
        await exchange.result(results.text(f"User response: {words}"))

    async def _asked(self, exchange: Exchange, method: str, params: Json) -> Json | None:
        name = secrets.token_hex(8)
        self._waiting[name] = asyncio.get_running_loop().create_future()
        await exchange.ask(method, params, {"source": self.key_as_json, "name": name})
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self._waiting[name]

    @property
    def key_as_json(self) -> tuple[str, ...]:
        return tuple(self.key)

    async def sample(self, exchange: Exchange) -> None:
        if exchange.client.context.modern:
            await exchange.result(results.failed("Sampling not supported"))
            return
        prompt = exchange.message.params["arguments"]["prompt"]
        message = {"role": "user", "content": {"type": "text", "text": prompt}}
        said = await self._asked(exchange, "sampling/createMessage", {"messages": [message], "maxTokens": 100}) or {}
        await exchange.result(results.text(f"LLM response: {said.get('content', {}).get('text')}"))

    async def resume(self, client: Client, kept: Mapping[str, Any], reply: Reply) -> None:
        raise AssertionError("its streams have no ids")

    async def answered(self, client: Client, kept: Mapping[str, Any], result: Json | None) -> None:
        self._waiting.pop(kept["name"]).set_result(result)

    async def cancelled(self, client: Client, request: Id) -> None:
        return


async def _fail(_: FixtureSource, exchange: Exchange) -> None:
    await exchange.result(results.failed("This tool intentionally returns an error for testing"))


async def _log(_: FixtureSource, exchange: Exchange) -> None:
    silent = exchange.client.context.modern and LOG_LEVEL not in exchange.message.meta
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        if not silent:
            await exchange.notify("notifications/message", {"level": "info", "data": words})
        await asyncio.sleep(PAUSE_SECONDS)
    await exchange.result(results.text("Tool with logging executed successfully"))


async def _progress(_: FixtureSource, exchange: Exchange) -> None:
    token = exchange.message.progress_token
    for done in (0, 50, 100):
        if token is not None:
            params = {"progressToken": token, "progress": done, "total": 100}
            await exchange.notify("notifications/progress", params)
        await asyncio.sleep(PAUSE_SECONDS)
    await exchange.result(results.text("done"))


async def _need_sampling(_: FixtureSource, exchange: Exchange) -> None:
    if "sampling" not in exchange.client.context.capabilities:
        needed: Json = {"requiredCapabilities": {"sampling": {}}}
        raise RpcError(jsonrpc.MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs sampling", needed)
    await exchange.result(results.text("The client can sample"))


async def _change(source: FixtureSource, exchange: Exchange) -> None:
    prompts = exchange.message.params["name"] == "test_trigger_prompt_change"
    changed = source.more_prompts if prompts else source.more
    changed.append(f"test_added_{len(changed)}")
    source.version = (len(source.more), len(source.more_prompts))
    await exchange.result(results.text("changed"))


async def _stream(_: FixtureSource, exchange: Exchange) -> None:
    await exchange.result(asked_tool(exchange, "test_input_required_result_elicitation"))


SPECIAL: Mapping[str, Callable[[FixtureSource, Exchange], Awaitable[None]]] = {
    "test_error_handling": _fail,
    "test_tool_with_logging": _log,
    "test_logging_tool": _log,
    "test_tool_with_progress": _progress,
    "test_sampling": FixtureSource.sample,
    "test_missing_capability": _need_sampling,
    "test_streaming_elicitation": _stream,
    "test_trigger_tool_change": _change,
    "test_trigger_prompt_change": _change,
}


def _resource(uri: str) -> Json:
    found = RESOURCES.get(uri)
    number = uri.removeprefix("test://template/").removesuffix("/data")
    if found is None and uri == f"test://template/{number}/data":
        text = json.dumps({"id": number, "templateTest": True, "data": f"Data for ID: {number}"})
        found = {"mimeType": "application/json", "text": text}
    if found is None:
        raise RpcError(jsonrpc.INVALID_PARAMS, "Resource not found", {"uri": uri})
    return {"uri": uri, **found}


def _prompt(exchange: Exchange, name: str) -> Json:
    given = exchange.message.params.get("arguments") or {}
    if name == "test_input_required_result_prompt":
        return asked_prompt(exchange)
    if name == "test_simple_prompt":
        content: list[Json] = [{"type": "text", "text": "This is a simple prompt for testing."}]
    elif name == "test_prompt_with_arguments":
        words = f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'"
        content = [{"type": "text", "text": words}]
    elif name == "test_prompt_with_embedded_resource":
        embedded = _embedded(given["resourceUri"], "text/plain", "Embedded resource content for testing.")
        content = [embedded, {"type": "text", "text": "Please process the embedded resource above."}]
    elif name == "test_prompt_with_image":
        content = [PICTURE, {"type": "text", "text": "Please analyze the image above."}]
    else:
        raise RpcError(jsonrpc.INVALID_PARAMS, f"Unknown prompt: {name}")
    return {"messages": [{"role": "user", "content": each} for each in content]}


@asynccontextmanager
async def fixture_server(wrapped: Callable[[Any], Any] | None = None) -> AsyncIterator[str]:
    """The URL of a fixture server in this process.

    Args:
        wrapped: makes another application of it.
    """
    port = free_port()
    origins = tuple(f"http://{name}:{port}" for name in ("localhost", "127.0.0.1"))
    settings = GatewaySettings(auth_mode="open", allowed_origins=origins)
    async with assembled(settings, routes=RouteTable(), signer=IdentitySigner.generate()) as gateway:
        server = SingleServer(FixtureSource(), "fixture", results.info("fixture", "Fixture"), "")
        path = McpPath(gateway, lambda *_: server)

        async def endpoint(_: Request) -> Response:
            return path

        app = Starlette(routes=[Route("/mcp", endpoint, methods=["GET", "POST", "DELETE"])])
        async with served(OwnNames(wrapped(app) if wrapped else app), port=port) as url:
            yield f"{url}/mcp"
