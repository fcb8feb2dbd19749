"""A connector between the gateway and a server that wants a token, and what it says of itself."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mcp import Client

from slipway_crds.plugins.connector import ConnectorConfig, connector_config
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.upstream import upstream_of
from slipway_runtime.connector.app import create_connector_app
from slipway_runtime.connector.main import server_of
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.plugins.source import ClusterAccess
from slipway_runtime.gateway.routes import PluginKey, RouteTable
from slipway_runtime.identity import HEADER, Caller, IdentitySigner, IdentityVerifier
from slipway_runtime.settings import GatewaySettings
from tests.support.mcp_servers import Recording, application
from tests.support.serving import served

SIGNER = IdentitySigner.generate()


@pytest.fixture(autouse=True)
def _anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of this test is on the loopback interface, where no server of a cluster is."""
    monkeypatch.setattr("slipway_runtime.addresses.AddressRule.check", lambda *_: None)


async def connector_parts(stack: AsyncExitStack, recording: Recording, **mcp: Any) -> tuple[Plugin, ConnectorConfig]:
    """A plugin whose server is started, and what its connector is started with."""
    port = (await stack.enter_async_context(served(recording))).rpartition(":")[2]
    spec = {"type": "mcp", "mcp": {"url": f"http://10.0.0.1:{port}/mcp", **mcp}}
    plugin = Plugin.model_validate({"metadata": {"name": "tools", "namespace": "demo"}, "spec": spec})
    beside = {"name": f"registry.example.com/tools@sha256:{64 * '0'}", "port": int(port)}
    return plugin, connector_config(plugin).model_copy(
        update={"spec": {"type": "mcp", "mcp": {**mcp, "image": beside}}}
    )


async def connected(stack: AsyncExitStack, folder: Path, recording: Recording, **mcp: Any) -> tuple[str, str]:
    """The plugin's URL at a gateway, and its connector's."""
    plugin, config = await connector_parts(stack, recording, **mcp)
    server = server_of(config, folder)
    stack.push_async_callback(server.close)
    app = create_connector_app(server, IdentityVerifier([SIGNER.public_key]))
    connector = await stack.enter_async_context(served(app))
    settings = GatewaySettings(auth_mode="open")
    gateway = await stack.enter_async_context(assembled(settings, routes=RouteTable(), signer=SIGNER))
    upstream = upstream_of(plugin)
    assert upstream.url == "http://tools-connector.demo.svc:8080/mcp"
    here = type(upstream)(**{**_fields(upstream), "url": f"{connector}/mcp"})
    gateway.plugins.set(PluginKey("demo", "tools"), here, ClusterAccess(SIGNER)(here))
    return await stack.enter_async_context(served(create_app(gateway))) + "/plugins/demo/tools/mcp", connector


def _fields(upstream: Any) -> dict[str, Any]:
    return {name: getattr(upstream, name) for name in upstream.__dataclass_fields__}


@pytest.mark.proves("Plugin.mcp.tokenRef.*", "Plugin.mcp.headers[].*", "Plugin.mcp.image.path")
async def test_a_token_is_added_and_may_be_rotated(stack: AsyncExitStack, tmp_path: Path) -> None:
    (tmp_path / "headers").mkdir()
    token = tmp_path / "headers" / "authorization"
    token.write_text("first\n")
    (tmp_path / "headers" / "X-Tenant").write_text("acme")
    recording = Recording(application())
    url, _ = await connected(
        stack,
        tmp_path,
        recording,
        tokenRef={"name": "tools", "key": "token"},
        headers=[{"name": "X-Tenant", "secretRef": {"name": "tools", "key": "tenant"}}],
    )
    for value in ("first", "second"):
        token.write_text(value)
        for mode in ("legacy", "2026-07-28"):
            async with Client(url, mode=mode) as client:
                await client.call_tool("echo", {"text": "hello"})
    sent = [(given["authorization"], given["x-tenant"]) for given, _ in recording.of("tools/call")]
    assert sent == [(f"Bearer {value}", "acme") for value in ("first", "first", "second", "second")]
    assert HEADER.lower() not in {name for given, _ in recording.requests for name in given}


async def test_a_missing_token_is_told_where_the_plugin_is_used(stack: AsyncExitStack, tmp_path: Path) -> None:
    url, connector = await connected(
        stack, tmp_path, Recording(application()), tokenRef={"name": "tools", "key": "token"}
    )
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as http:
        async with http.post(url, json=message, headers=headers) as response:
            error = (await response.json())["error"]
        async with http.get(f"{connector}/status") as response:
            assert response.status == 200
    assert error["data"]["reason"] == "CredentialMissing"
    assert "create the Secret" in error["message"]


async def test_only_the_gateway_is_answered(stack: AsyncExitStack, tmp_path: Path) -> None:
    recording = Recording(application())
    _, connector = await connected(stack, tmp_path, recording, tokenRef={"name": "tools", "key": "token"})
    caller = Caller("slipway", "gateway")
    forged = [
        "",
        "x",
        SIGNER.sign(caller, "demo/tools"),
        SIGNER.sign(caller, "plugin:demo/other"),
        IdentitySigner.generate().sign(caller, "plugin:demo/tools"),
    ]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    async with aiohttp.ClientSession() as http:
        for token in forged:
            headers = {"Content-Type": "application/json", HEADER: token}
            async with http.post(f"{connector}/mcp", data=body, headers=headers) as response:
                assert response.status == 401
    assert recording.requests == []
