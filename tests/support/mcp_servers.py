"""MCP servers made with the official SDK, of one era or of both, and what is wrong with servers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mcp.server import MCPServer
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response

from slipway_crds.plugins.upstream import McpUpstream, ToolNames

Application = Callable[[Any, Any, Any], Awaitable[None]]
MODERN = "2026-07-28"
LEGACY = "2025-11-25"


class Colour(BaseModel):
    """What `paint` asks a person."""

    colour: str


def make_server() -> MCPServer:
    """A server with tools of every sort."""
    server = MCPServer("fixture", version="1.2.3")

    @server.tool()
    async def echo(text: str) -> str:
        """Say it again."""
        return text

    @server.tool(name="issues.list")
    async def issues(repository: str) -> str:
        """List issues."""
        return f"issues of {repository}"

    @server.tool()
    async def secret() -> str:
        """Not for everybody."""
        return "hush"

    @server.tool()
    async def steps(count: int, ctx: Context) -> str:
        """Report progress."""
        for each in range(count):
            await ctx.report_progress(each + 1, count, f"step {each + 1}")
        return f"{count} steps"

    @server.tool()
    async def paint(ctx: Context) -> str:
        """Ask for a colour."""
        given = await ctx.elicit("Which colour?", Colour)
        return f"painted {given.data.colour}" if given.action == "accept" else "not painted"

    @server.resource("note://{name}")
    async def note(name: str) -> str:
        """A note."""
        return f"the note {name}"

    return server


def application(server: MCPServer | None = None, **options: Any) -> Application:
    """Both eras, at /mcp."""
    made: Application = (server or make_server()).streamable_http_app(**options)
    return made


def listing(tools: Sequence[str | Tool], *, page: int = 100_000, bytes_of: int = 0, **options: Any) -> Application:
    """A server of these tools: each says its name, but `long`, which says `bytes_of` bytes."""
    listed = [Tool(name=each, input_schema={"type": "object"}) if isinstance(each, str) else each for each in tools]

    async def on_list_tools(_: Any, params: Any) -> ListToolsResult:
        begin = int((params and params.cursor) or 0)
        more = str(begin + page) if begin + page < len(listed) else None
        return ListToolsResult(tools=listed[begin : begin + page], next_cursor=more)

    async def on_call_tool(_: Any, params: Any) -> CallToolResult:
        text = "x" * bytes_of if params.name == "long" else params.name
        return CallToolResult(content=[TextContent(text=text)])

    server = Server("listing", on_list_tools=on_list_tools, on_call_tool=on_call_tool)
    made: Application = server.streamable_http_app(**options)
    return made


class OnlyLegacy:
    """Answers 2026-07-28 as servers do that were written before it."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and Headers(scope=scope).get("mcp-protocol-version") == MODERN:
            error = {"code": -32600, "message": "Bad Request: Unsupported protocol version: 2026-07-28"}
            refused = JSONResponse({"jsonrpc": "2.0", "id": "server-error", "error": error}, 400)
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


class OnlyModern:
    """Knows no sessions."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and Headers(scope=scope).get("mcp-protocol-version") != MODERN:
            data = {"supported": [MODERN], "requested": LEGACY}
            error = {"code": -32022, "message": "Unsupported protocol version", "data": data}
            await JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class Recording:
    """Keeps the headers and bodies of the requests that a server gets."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.disconnected = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parts: list[bytes] = []

        async def receiving() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnected.set()
            elif message["type"] == "http.request":
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    body = b"".join(parts)
                    self.requests.append((dict(Headers(scope=scope)), json.loads(body) if body else None))
            return message

        await self._app(scope, receiving, send)

    def of(self, method: str) -> list[tuple[dict[str, str], Any]]:
        """Those of one method of MCP."""
        return [each for each in self.requests if isinstance(each[1], dict) and each[1].get("method") == method]


def answering(response: Callable[[], Response]) -> Application:
    """A server that answers everything alike."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await response()(scope, receive, send)

    return app


HTML = answering(lambda: Response("<html>Welcome to nginx</html>", media_type="text/html"))
NOT_FOUND = answering(lambda: PlainTextResponse("nothing here", 404))


async def hung(scope: Any, receive: Any, send: Any) -> None:
    """A server that takes a request and never answers."""
    if scope["type"] == "http":
        while (await receive())["type"] != "http.disconnect":
            pass


def upstream(url: str, name: str = "tools", **given: Any) -> McpUpstream:
    """A plugin in namespace demo."""
    return McpUpstream(
        **{
            "namespace": "demo",
            "name": name,
            "url": url,
            "in_cluster": False,
            "tools": ToolNames(),
            "timeout": 10.0,
            "connect_timeout": 2.0,
            **given,
        }
    )
