"""The official conformance suite against a server on our own MCP module, for both revisions that it has."""

import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.asgi import OwnNames
from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.routes import PluginKey, RouteTable
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.settings import GatewaySettings
from tests.runtime.gateway.test_plugins import HERE
from tests.support import mcp_clients
from tests.support.mcp_fixture import fixture_server
from tests.support.mcp_servers import OnlyLegacy, upstream
from tests.support.servers import free_port
from tests.support.serving import served

REVISIONS = ["2025-11-25", "2026-07-28"]
CANNOT = {"input-required-result-capability-check"}
"""What cannot hold between eras: a server of 2025-11-25 learns what its client can do when the session begins, and
sessions across eras begin with a client that can do nothing for it."""


def failing(output: str) -> set[str]:
    """The scenarios that failed and count."""
    failed = set(re.findall(r"✗ (\S+):", output))
    return failed - set(re.findall(r"✗ (\S+) \((?:extension|pending)\)", output))


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_required_scenario_passes(revision: str, tmp_path: Path) -> None:
    async with fixture_server() as url:
        ended = await mcp_clients.conformance(url, revision, tmp_path)
    assert ended.code == 0, ended.output[-3000:]
    assert f"Required for {revision}" in ended.output or "Total:" in ended.output


@pytest.mark.parametrize("only", [None, OnlyLegacy], ids=["as-it-is", "of-2025-11-25-only"])
@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_required_scenario_passes_behind_the_gateway(
    stack: AsyncExitStack, tmp_path: Path, revision: str, only: type[OnlyLegacy] | None
) -> None:
    """The same server as a plugin: also where it has only sessions, and the client may be of either era."""
    port = free_port()
    origins = tuple(f"http://{name}:{port}" for name in ("localhost", "127.0.0.1"))
    settings = GatewaySettings(auth_mode="open", allowed_origins=origins)
    gateway = await stack.enter_async_context(
        assembled(settings, routes=RouteTable(), signer=IdentitySigner.generate())
    )
    front = await stack.enter_async_context(served(OwnNames(create_app(gateway)), port=port))
    async with fixture_server(wrapped=only) as url:
        gateway.plugins.set(PluginKey("demo", "fixture"), upstream(url, "fixture"), HERE)
        ended = await mcp_clients.conformance(f"{front}/plugins/demo/fixture/mcp", revision, tmp_path)
    expected = CANNOT if only and revision == "2026-07-28" else set()
    assert failing(ended.output) == expected, ended.output[-3000:]
    assert "Total:" in ended.output
