"""Clients and servers of different eras of MCP, with the official SDK on both sides."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import ElicitResult
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from slipway_crds.plugins.upstream import ToolNames
from slipway_runtime.gateway.routes import PluginKey
from tests.runtime.gateway.conftest import StartFront
from tests.runtime.gateway.test_plugins import MODES, Mode, call, plug, texts
from tests.support.mcp_servers import Application, OnlyLegacy, OnlyModern, Recording, application
from tests.support.waiting import until

OTHER: dict[Mode, type[OnlyLegacy] | type[OnlyModern]] = {"2026-07-28": OnlyLegacy, "legacy": OnlyModern}
"""What a server only speaks that a client of this mode does not."""


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_uses_a_server_of_the_other_era(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode
) -> None:
    names = ToolNames(renamed={"issues.list": "issues"})
    url = await plug(stack, await start_front(), OTHER[mode](application()), tools=names)
    steps: list[tuple[float, str | None]] = []

    async def reported(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, message))

    async with Client(url, mode=mode) as client:
        assert "issues" in [tool.name for tool in (await client.list_tools()).tools]
        assert texts(await client.call_tool("issues", {"repository": "x"})) == ["issues of x"]
        assert texts(await client.call_tool("steps", {"count": 2}, progress_callback=reported)) == ["2 steps"]
        assert [template.uri_template for template in (await client.list_resource_templates()).resource_templates]
        assert (await client.read_resource("note://today")).contents[0].uri == "note://today"
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("issues.list", {})
        with pytest.raises(MCPError):
            await client.read_resource("nothing://here")
    assert steps == [(1.0, "step 1"), (2.0, "step 2")]


async def _red(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"colour": "red"})


async def outcome(client: Client, tool: str) -> int | str:
    """The code of an error, or what the result is."""
    try:
        return "error" if (await client.call_tool(tool, {})).is_error else "result"
    except MCPError as error:
        return error.error.code


@pytest.mark.parametrize("mode", MODES)
async def test_a_server_asks_a_client_of_its_own_era_and_no_other(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode
) -> None:
    front = await start_front()
    if mode == "legacy":  # of 2026-07-28 the SDK's servers ask by results, which pass as they are
        own = await plug(stack, front, application(), name="own")
        async with Client(own, mode=mode, elicitation_callback=_red) as client:
            assert texts(await client.call_tool("paint", {})) == ["painted red"]
    other = await plug(stack, front, OTHER[mode](application()), name="other")
    async with Client(other, mode=mode, elicitation_callback=_red) as client:
        code = await outcome(client, "paint")
        assert code in (-32021, -32600, "error"), "which depends on the SDK: it is told that the client cannot"
        assert texts(await client.call_tool("echo", {"text": "goes on"})) == ["goes on"]


async def test_a_server_that_asks_all_the_same_ends_the_call_with_the_error_of_the_specification(
    start_front: StartFront, stack: AsyncExitStack
) -> None:
    """Of 2025-11-25, and without looking at what its client can do."""

    async def asking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        asked = b'data: {"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}\n\n'
        await send({"type": "http.response.body", "body": asked, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    app = OnlyLegacy(application())

    async def asks(scope: Any, receive: Any, send: Any) -> None:
        """Asks within each call of a tool."""
        message = await receive() if scope["type"] == "http" else {}

        first = iter([message])

        async def again() -> Any:
            return next(first, None) or await receive()

        called = b"tools/call" in message.get("body", b"")
        await (asking if called else app)(scope, again if scope["type"] == "http" else receive, send)

    front = await start_front()
    url = await plug(stack, front, asks)
    headers, body = call("echo", text="x")
    async with front.client.post(url, json=body, headers=headers) as response:
        text = await response.text()
    assert '"code":-32021' in text
    assert '"requiredCapabilities":{"sampling":{}}' in text
    assert '"id":7' in text


class Forgetful:
    """Does not know some sessions any more, as after a restart."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.forgotten: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and Headers(scope=scope).get("mcp-session-id") in self.forgotten:
            await receive()
            await JSONResponse({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "?"}}, 404)(
                scope, receive, send
            )
            return
        await self._app(scope, receive, send)


async def test_sessions_with_a_server_are_one_for_each_caller_and_begun_anew_when_forgotten(
    start_front: StartFront, stack: AsyncExitStack
) -> None:
    """A server that was restarted answers 404."""
    forgetful = Forgetful(OnlyLegacy(application()))
    recording = Recording(forgetful)
    front = await start_front()
    url = await plug(stack, front, recording)
    async with Client(url, mode="2026-07-28") as client:
        assert texts(await client.call_tool("echo", {"text": "a"})) == ["a"]
        assert texts(await client.call_tool("echo", {"text": "b"})) == ["b"]
        first = {given["mcp-session-id"] for given, _ in recording.of("tools/call")}
        assert len(first) == 1
        forgetful.forgotten |= first
        assert texts(await client.call_tool("echo", {"text": "c"})) == ["c"]
    last = recording.of("tools/call")[-1][0]["mcp-session-id"]
    assert {last} != first
    plugin = front.gateway.plugins.get(PluginKey("demo", "tools"))
    assert plugin is not None
    ann, bob = await plugin.sessions.of("ann"), await plugin.sessions.of("bob")
    assert ann.session != bob.session
    assert await plugin.sessions.of("ann") is ann


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("same", [True, False])
async def test_a_cancelled_call_is_cancelled_at_the_server(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode, same: bool
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()
    server = MCPServer("slow")

    @server.tool()
    async def wait(ctx: Context) -> str:
        """Wait for ever."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    app: Application = application(server)
    url = await plug(stack, await start_front(), app if same else OTHER[mode](app))
    async with Client(url, mode=mode) as client:
        calling = asyncio.create_task(client.call_tool("wait", {}))
        await until(begun.is_set, "the tool is called")
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await until(ended.is_set, "the server has ended the call")


async def test_changes_of_a_servers_tools_reach_subscribers_of_the_other_era(
    start_front: StartFront, stack: AsyncExitStack
) -> None:
    server = MCPServer("changing")

    @server.tool()
    async def change(ctx: Context) -> str:
        """Say that tools changed."""
        await ctx.session.send_tool_list_changed()
        return "changed"

    recording = Recording(OnlyLegacy(application(server)))
    url = await plug(stack, await start_front(), recording)
    async with Client(url, mode="2026-07-28") as client, client.listen(tools_list_changed=True) as changes:
        await client.call_tool("change", {})
        async with asyncio.timeout(10):
            async for event in changes:
                assert type(event).__name__ == "ToolsListChanged"
                break
