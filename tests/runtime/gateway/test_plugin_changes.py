"""Subscriptions to changes: clients of one plugin, and of the federated server, share one with its server."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.plugins import changes
from tests.runtime.gateway.conftest import StartFront
from tests.runtime.gateway.test_plugins import plug
from tests.support.mcp_servers import Recording, application
from tests.support.waiting import until

TOLD_SECONDS = 20


def growing() -> MCPServer:
    """A server that gets a tool by one of its tools."""
    server = MCPServer("growing")

    @server.tool()
    async def grow(name: str, ctx: Context) -> str:
        """Get a tool of this name."""

        async def said() -> str:
            """Say the name."""
            return name

        server.add_tool(said, name=name)
        await ctx.notify_tools_changed()
        return "grown"

    return server


async def told(events: Any) -> str:
    async with asyncio.timeout(TOLD_SECONDS):
        async for event in events:
            return type(event).__name__
    return ""


async def test_clients_share_one_subscription_to_the_server(start_front: StartFront, stack: AsyncExitStack) -> None:
    front = await start_front()
    recording = Recording(application(growing()))
    url = await plug(stack, front, recording, name="tools")
    plugin = front.gateway.plugins.get(PluginKey("demo", "tools"))
    assert plugin is not None
    await plugin.discovery()
    async with AsyncExitStack() as clients:
        listeners = []
        for path in (url, url, f"{front.url}/mcp"):
            client = await clients.enter_async_context(Client(path, mode="2026-07-28"))
            listeners.append(await clients.enter_async_context(client.listen(tools_list_changed=True)))
        await until(lambda: len(recording.of("subscriptions/listen")) == 1, "the gateway has subscribed")
        caller = await clients.enter_async_context(Client(url, mode="2026-07-28"))
        await caller.call_tool("grow", {"name": "new"})
        assert await asyncio.gather(*map(told, listeners)) == ["ToolsListChanged"] * 3
        assert "new" in [tool.name for tool in (await caller.list_tools()).tools]
        assert "new" in [tool.name for tool in plugin.known.tools]  # type: ignore[union-attr]
    assert len(recording.of("subscriptions/listen")) == 1
    await until(recording.disconnected.is_set, "the last one who listened has left, and so did the gateway")


async def test_what_changed_while_there_was_no_stream_is_told(
    start_front: StartFront, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "AGAIN_SECONDS", 0.2)
    server = growing()
    front = await start_front()
    breaking = Breaking(application(server))
    url = await plug(stack, front, breaking, name="tools")
    async with Client(url, mode="2026-07-28") as client, client.listen(tools_list_changed=True) as listener:
        await until(lambda: breaking.refused > 0, "a subscription was refused")

        async def said() -> str:
            """Say something."""
            return "said"

        server.add_tool(said, name="new")
        assert await told(listener) == "ToolsListChanged"


class Breaking:
    """A server that takes no subscription."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.refused = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if dict(scope.get("headers", ())).get(b"mcp-method") != b"subscriptions/listen":
            await self._app(scope, receive, send)
            return
        self.refused += 1
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})
