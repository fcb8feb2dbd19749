"""A plugin that is loaded here as an application: its tools as an MCP server, and its end points of HTTP."""

import logging
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent, Tool, ToolAnnotations
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from slipway_crds import contract
from slipway_runtime.applications import new_application
from slipway_runtime.connector.door import HANDLERS, PROBES, authenticate, failure
from slipway_runtime.connector.hosting import HostedPlugin
from slipway_runtime.identity import Verifier
from slipway_runtime.plugins.loaded import CALL_GRANT, CALL_KEY, LoadedTool, PluginNotLoaded, ToolAnswer
from slipway_runtime.plugins.loading.failures import for_callers, raised_by
from slipway_runtime.protocols.headers import GRANT_HEADER, IDEMPOTENCY_HEADER
from slipway_runtime.version import VERSION

log = logging.getLogger(__name__)

PAGE = 100
"""Tools in one answer."""
MESSAGE_BYTES = 5 * 1024 * 1024


def create_hosted_app(hosted: HostedPlugin, verifier: Verifier) -> Starlette:
    """The application of one plugin."""
    manager = StreamableHTTPSessionManager(
        _mcp_server(hosted), json_response=True, stateless=True, max_request_body_size=MESSAGE_BYTES
    )

    async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
        authenticate(Request(scope), verifier, hosted.key)
        try:
            _ = hosted.loaded
        except PluginNotLoaded as error:
            await failure(error.reason, str(error), 503, refused=True)(scope, receive, send)
            return
        await manager.handle_request(scope, receive, send)

    async def endpoints(scope: Scope, receive: Receive, send: Send) -> None:
        authenticate(Request(scope), verifier, hosted.key)
        try:
            routes = list(hosted.loaded.routes)
        except PluginNotLoaded as error:
            await failure(error.reason, str(error), 503, refused=True)(scope, receive, send)
            return
        await Router(routes, redirect_slashes=False)(scope, receive, send)

    async def status(_: Request) -> Response:
        return JSONResponse(hosted.report())

    return new_application(
        [
            Route(contract.CONNECTOR_MCP_PATH, _Endpoint(mcp)),
            Mount(contract.CONNECTOR_HTTP_PATH, app=endpoints),
            Route(contract.CONNECTOR_STATUS_PATH, status),
            *PROBES,
        ],
        handlers=HANDLERS,
        lifespan=lambda _: manager.run(),
    )


class _Endpoint:
    """An application as the end point of a route: for all methods."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _mcp_server(hosted: HostedPlugin) -> Server[Any]:
    async def on_list_tools(_: Any, params: Any) -> ListToolsResult:
        tools = hosted.loaded.tools
        given = params.cursor if params else None
        begin = int(given) if given and given.isdecimal() else 0
        more = str(begin + PAGE) if begin + PAGE < len(tools) else None
        return ListToolsResult(tools=[_described(each) for each in tools[begin : begin + PAGE]], next_cursor=more)

    async def on_call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        tool = next((each for each in hosted.loaded.tools if each.name == params.name), None)
        if tool is None:
            return _result(ToolAnswer(f"there is no tool {params.name[:128]}: list the tools again", failed=True))
        request = context.request
        headers = request.headers if request is not None else {}
        CALL_GRANT.set(headers.get(GRANT_HEADER, ""))
        CALL_KEY.set(headers.get(IDEMPOTENCY_HEADER, ""))
        return _result(await _called(hosted.key, tool, params.arguments or {}))

    name = hosted.plugin.metadata.name
    return Server(name, version=VERSION, on_list_tools=on_list_tools, on_call_tool=on_call_tool)


async def _called(plugin: str, tool: LoadedTool, arguments: dict[str, Any]) -> ToolAnswer:
    try:
        return await tool.call(arguments)
    except Exception as error:  # noqa: BLE001 (code of others: what it raises ends this call and nothing else)
        log.error("a tool of a plugin raised %s", raised_by(error), extra={"plugin": plugin, "tool": tool.name})
        return ToolAnswer(for_callers(plugin.partition("/")[2], "Raised"), failed=True)


def _described(tool: LoadedTool) -> Tool:
    return Tool(
        name=tool.name,
        description=tool.description,
        input_schema=dict(tool.input_schema),
        annotations=ToolAnnotations(read_only_hint=tool.read_only, idempotent_hint=tool.repeatable or tool.read_only),
    )


def _result(answer: ToolAnswer) -> CallToolResult:
    structured = dict(answer.structured) if answer.structured is not None else None
    return CallToolResult(
        content=[TextContent(text=answer.text)], structured_content=structured, is_error=answer.failed
    )
