"""The federated server over sources of which some are hung, broken or absurd."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from typing import Any

import aiohttp
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ToolsListChanged
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.mcp import servers
from slipway_runtime.gateway.mcp.exchange import Exchange
from slipway_runtime.gateway.mcp.listening import STREAMS
from slipway_runtime.gateway.mcp.path import McpPath
from slipway_runtime.gateway.mcp.servers import FederatedServer
from slipway_runtime.gateway.mcp.sources import AllSources, KnownSource, Listing, SourceKey, ToolSource
from slipway_runtime.gateway.routes import RouteTable
from slipway_runtime.identity import Caller, IdentitySigner
from slipway_runtime.protocols.mcp import results
from slipway_runtime.settings import GatewaySettings
from tests.support.mcp_wire import Wire, messages, modern, request
from tests.support.serving import served


class Echo:
    """A source with some tools, which say their names. It may list its tools late, or fail to."""

    capabilities: Any = {}  # noqa: RUF012
    version = 0

    def __init__(self, name: str, *tools: str, error: Exception | None = None, hangs: bool = False) -> None:
        self.key = SourceKey("echoes", "test", name)
        self.tools = tools
        self._error = error
        self._hangs = hangs

    async def listing(self, caller: Caller) -> Listing:
        if self._hangs:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error
        return Listing(tools=tuple(results.tool(each, "A tool", {}, ()) for each in self.tools))

    def followed(self) -> AbstractAsyncContextManager[object]:
        return nullcontext()

    async def answer(self, exchange: Exchange, name: str) -> None:
        await exchange.result(results.text(f"{self.key.name} {name}"))

    async def resume(self, *_: object) -> None:
        raise AssertionError

    async def answered(self, *_: object) -> None:
        raise AssertionError

    async def cancelled(self, *_: object) -> None:
        return


class Echoes:
    """See `ToolSources`."""

    def __init__(self, *sources: ToolSource) -> None:
        self._sources = sources

    def known(self) -> list[KnownSource]:
        return [KnownSource(source.key) for source in self._sources]

    def of(self, caller: Caller) -> list[ToolSource]:
        return list(self._sources)

    def get(self, key: SourceKey, caller: Caller) -> ToolSource | None:
        return next((source for source in self._sources if source.key == key), None)


@pytest.fixture
def well() -> Echo:
    return Echo("well", "a", "b.c")


@pytest.fixture
async def url(stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, well: Echo) -> str:
    monkeypatch.setattr(servers, "LISTING_SECONDS", 0.2)
    sources = Echoes(
        well,
        Echo("hung", "never", hangs=True),
        Echo("dead", "never", error=ConnectionError("refused")),
        Echo("odd", "never", error=KeyError("tools")),
        Echo("also-well", "x" * 100),
    )
    settings = GatewaySettings(auth_mode="open")
    signer = IdentitySigner.generate()
    gateway = await stack.enter_async_context(assembled(settings, routes=RouteTable(), signer=signer))
    server = FederatedServer(AllSources([sources]), "mcp", results.info("all", "All"), "")
    path = McpPath(gateway, lambda *_: server)

    async def endpoint(_: Request) -> Response:
        return path

    return await stack.enter_async_context(served(Starlette(routes=[Route("/mcp", endpoint, methods=["POST", "GET"])])))


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_one_source_costs_nobody_else_anything(url: str, mode: Any) -> None:
    async with Client(f"{url}/mcp", mode=mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names[:2] == ["well__a", "well__b_c"]
        assert len(names) == 3
        for name, said in zip(names, ["well a", "well b.c", f"also-well {'x' * 100}"], strict=True):
            result = await client.call_tool(name, {})
            assert result.content[0].text == said  # type: ignore[union-attr]
        for name in ("hung__never", "dead__never", "well__d", "a", "nobody__a", "__", "also-well"):
            with pytest.raises(MCPError, match="There is no"):
                await client.call_tool(name, {})


async def test_changes_are_told(url: str, well: Echo) -> None:
    async with Client(f"{url}/mcp", mode="2026-07-28") as client, client.listen(tools_list_changed=True) as events:
        well.tools, well.version = ("a", "new"), 1
        assert isinstance(await anext(aiter(events)), ToolsListChanged)
        assert "well__new" in [tool.name for tool in (await client.list_tools()).tools]


async def test_one_caller_listens_on_few_streams(url: str, stack: AsyncExitStack) -> None:
    http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    message, headers = modern(request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    wire = Wire(http, f"{url}/mcp")
    for _ in range(STREAMS):
        response = await stack.enter_async_context(wire.post(message, **headers))
        _, first = await anext(aiter(messages(response)))
        assert first["method"] == "notifications/subscriptions/acknowledged"
    async with wire.post(message, **headers) as response:
        assert response.status == 429
        assert (await response.json())["error"]["data"]["reason"] == "Overloaded"
