"""Plugins through the gateway, with the official SDK as client and as server."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.transport_security import TransportSecuritySettings

from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.upstream import ToolNames, server_of
from slipway_runtime.addresses import AddressRule
from slipway_runtime.gateway.auth import CallerKeyFile, new_key
from slipway_runtime.gateway.routes import AgentAccess as Allowed
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.plugins.server import ServerAccess, ServerFailed
from tests.runtime.gateway.conftest import Front, StartFront
from tests.support.mcp_servers import HTML, Application, OnlyLegacy, Recording, application, hung, upstream
from tests.support.servers import free_port
from tests.support.serving import served

TOOLS = PluginKey("demo", "tools")
HERE = ServerAccess(reach=AddressRule(loopback=True))
Mode = Literal["legacy", "2026-07-28"]
MODES: tuple[Mode, ...] = ("legacy", "2026-07-28")
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def plug(stack: AsyncExitStack, front: Front, app: Application, *, name: str = "tools", **given: Any) -> str:
    """Serve an application as a plugin; gives the plugin's URL at the gateway."""
    url = await stack.enter_async_context(served(app))
    front.gateway.plugins.set(PluginKey("demo", name), upstream(f"{url}/mcp", name, **given), HERE)
    return f"{front.url}/plugins/demo/{name}/mcp"


@asynccontextmanager
async def with_key(url: str, key: str, mode: Mode) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"X-API-Key": key}, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


def texts(result: Any) -> list[str]:
    return [block.text for block in result.content]


def call(name: str, **arguments: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and body of a call as a client of 2026-07-28 sends it."""
    headers = {**JSON, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name}
    params = {"name": name, "arguments": arguments, "_meta": META}
    return headers, {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


@pytest.mark.parametrize("mode", MODES)
async def test_tools_are_called_through_the_gateway(start_front: StartFront, stack: AsyncExitStack, mode: Mode) -> None:
    url = await plug(stack, await start_front(), application())
    async with Client(url, mode=mode) as client:
        assert "echo" in [tool.name for tool in (await client.list_tools()).tools]
        assert texts(await client.call_tool("echo", {"text": "hello"})) == ["hello"]
        assert (await client.read_resource("note://today")).contents[0].uri == "note://today"


@pytest.mark.proves("Plugin.mcp.tools.*", "Plugin.mcp.tools.rename[].*")
@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_has_the_name_and_the_right_that_the_plugin_gives_it(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode
) -> None:
    recording = Recording(application())
    names = ToolNames(allowed=frozenset({"echo", "issues.list"}), renamed={"issues.list": "issues"})
    url = await plug(stack, await start_front(), recording, tools=names)
    async with Client(url, mode=mode) as client:
        assert sorted(tool.name for tool in (await client.list_tools()).tools) == ["echo", "issues"]
        assert texts(await client.call_tool("issues", {"repository": "slipway"})) == ["issues of slipway"]
        for hidden in ("secret", "issues.list"):
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool(hidden, {})
    ((headers, body),) = recording.of("tools/call")
    assert body["params"]["name"] == "issues.list"
    assert headers.get("mcp-name") == ("issues.list" if mode != "legacy" else None)


async def test_what_a_server_gets_is_what_the_client_sent_and_never_its_key(
    start_front: StartFront, stack: AsyncExitStack, tmp_path: Path
) -> None:
    key, entry = new_key("alice")
    keys = tmp_path / "keys.json"
    keys.write_text(CallerKeyFile(keys=(entry,)).model_dump_json())
    front = await start_front(auth_mode="apikeys", api_keys_file=keys)
    recording = Recording(application())
    url = await plug(stack, front, recording)
    headers, body = call("echo", text="hello", big=12345678901234567890123)
    raw = json.dumps(body, indent=1)
    sent = {**headers, "Authorization": f"Bearer {key}", "Cookie": "a=b", "X-Other": "1", "Mcp-Param-Region": "eu"}
    async with front.client.post(url, data=raw, headers=sent) as response:
        assert response.status == 200
        assert (await response.json())["id"] == 7
    ((got, parsed),) = recording.of("tools/call")
    assert parsed == body
    assert not {"authorization", "cookie", "x-other", "x-api-key"} & got.keys()
    assert got["mcp-param-region"] == "eu"
    assert key not in str(got)


@pytest.mark.proves("Plugin.access.*")
@pytest.mark.parametrize("mode", MODES)
async def test_groups_decide_who_lists_and_calls_a_tool(
    start_front: StartFront, stack: AsyncExitStack, tmp_path: Path, mode: Mode
) -> None:
    (staff, first), (guest, second) = new_key("ann", groups=["staff"]), new_key("bob")
    keys = tmp_path / "keys.json"
    keys.write_text(CallerKeyFile(keys=(first, second)).model_dump_json())
    front = await start_front(auth_mode="apikeys", api_keys_file=keys)
    url = await plug(stack, front, application())
    front.routes.restrict(TOOLS, Allowed.read({"access": {"tools": [{"name": "secret", "groups": ["staff"]}]}}))
    async with with_key(url, staff, mode) as client:
        assert texts(await client.call_tool("secret", {})) == ["hush"]
    async with with_key(url, guest, mode) as client:
        assert "secret" not in [tool.name for tool in (await client.list_tools()).tools]
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("secret", {})
    front.routes.restrict(TOOLS, Allowed.read({"access": {"groups": ["staff"]}}))
    headers, body = call("echo", text="x")
    async with front.client.post(url, json=body, headers={**headers, "X-API-Key": guest}) as response:
        assert response.status == 404
    async with front.client.get(f"{front.url}/plugins/demo/tools/page", headers={"X-API-Key": guest}) as response:
        assert (response.status, "no such plugin" in await response.text()) == (404, True)
    async with front.client.get(f"{front.url}/plugins/demo/tools/page", headers={"X-API-Key": staff}) as response:
        assert (response.status, "no such end point" in await response.text()) == (404, True)
    async with front.client.post(url, json=body, headers=headers) as response:
        assert response.status == 401


async def test_a_session_is_of_no_use_to_another_caller(
    start_front: StartFront, stack: AsyncExitStack, tmp_path: Path
) -> None:
    (mine, first), (other, second) = new_key("ann"), new_key("bob")
    keys = tmp_path / "keys.json"
    keys.write_text(CallerKeyFile(keys=(first, second)).model_dump_json())
    front = await start_front(auth_mode="apikeys", api_keys_file=keys)
    recording = Recording(application())
    url = await plug(stack, front, recording)
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    async with front.client.post(url, json=body, headers={**JSON, "X-API-Key": mine}) as response:
        session = response.headers["Mcp-Session-Id"]
    body = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    seen = len(recording.of("tools/list"))
    for key, status in ((mine, 200), (other, 404)):
        headers = {**JSON, "X-API-Key": key, "Mcp-Session-Id": session}
        async with front.client.post(url, json=body, headers=headers) as response:
            assert response.status == status
    assert len(recording.of("tools/list")) == seen + 1
    assert session not in {given.get("mcp-session-id") for given, _ in recording.requests}


BAD: dict[str, tuple[dict[str, str], str, int, int]] = {
    "a batch": ({}, '[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', 400, -32600),
    "a key that is there twice": (
        {},
        '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "name": "secret"}}',
        400,
        -32600,
    ),
    "no JSON": ({}, "tools/list", 400, -32700),
    "another type": ({"Content-Type": "text/plain"}, "{}", 415, -32600),
    "no message": ({}, '{"id": 1}', 400, -32600),
    "an id that is none": ({}, '{"jsonrpc": "2.0", "id": {}, "method": "ping"}', 400, -32600),
    "an unknown revision": (
        {"MCP-Protocol-Version": "2031-01-01", "Mcp-Method": "ping"},
        json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": {**META, next(iter(META)): "2031-01-01"}}}
        ),
        400,
        -32022,
    ),
    "a header that names another tool": (
        {**call("echo")[0], "Mcp-Name": "secret"},
        json.dumps(call("echo")[1]),
        400,
        -32020,
    ),
    "a header that names another method": (
        {**call("echo")[0], "Mcp-Method": "tools/list"},
        json.dumps(call("echo")[1]),
        400,
        -32020,
    ),
    "JSON that is nested too deep": ({}, "[" * 100_000, 400, -32700),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_message_that_the_specification_forbids_reaches_no_server(
    start_front: StartFront, stack: AsyncExitStack, case: str
) -> None:
    given, body, status, code = BAD[case]
    front, recording = await start_front(), Recording(application())
    url = await plug(stack, front, recording)
    async with front.client.post(url, data=body, headers={**JSON, **given}) as response:
        answer = await response.json()
        assert (response.status, answer["error"]["code"]) == (status, code)
    assert not [each for _, each in recording.requests if each and each.get("id") not in (None, 1, 2, 3)]
    assert recording.of("tools/call") == []


@pytest.mark.proves("Plugin.mcp.timeout", "Plugin.mcp.connectTimeout")
@pytest.mark.parametrize("mode", MODES)
async def test_a_server_that_fails_costs_the_others_nothing(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode
) -> None:
    """One hangs, one is dead, one says HTML, and two are well."""
    front = await start_front()
    plugins = front.gateway.plugins
    well = [await plug(stack, front, application(), name=name) for name in ("one", "two")]
    await plug(stack, front, hung, name="hung", timeout=1.0)
    await plug(stack, front, HTML, name="html")
    dead = f"http://127.0.0.1:{free_port()}/mcp"
    plugins.set(PluginKey("demo", "dead"), upstream(dead, "dead", connect_timeout=1.0), HERE)
    headers, body = call("echo", text="x")
    expected = {"hung": "ServerTimeout", "dead": "ServerUnreachable", "html": "NotAnMcpServer"}
    for _ in range(3):
        for name, reason in expected.items():
            async with front.client.post(f"{front.url}/plugins/demo/{name}/mcp", json=body, headers=headers) as answer:
                error = (await answer.json())["error"]
                assert answer.status >= 500
                assert error["data"]["reason"] in (reason, "ServerLeftAlone")
        for url in well:
            async with Client(url, mode=mode) as client:
                assert texts(await client.call_tool("echo", {"text": "still here"})) == ["still here"]
    for name, reason in expected.items():
        told = json.loads(plugins.status_at(f"/plugins/demo/{name}") or b"")
        assert told["reason"] == reason
        assert told["error"]
    told = json.loads(plugins.status_at("/plugins/demo/one") or b"")
    assert (told["era"], told["reason"]) == ("2026-07-28", "")
    assert "echo" in told["tools"]


@pytest.mark.parametrize(
    ("reach", "url", "reason"),
    [
        (AddressRule(private=True), "http://127.0.0.1:{port}/mcp", "which is this machine itself"),
        (AddressRule(private=True), "http://localhost:{port}/mcp", "which is this machine itself"),
        (AddressRule(loopback=True, private=True), "http://169.254.169.254:{port}/mcp", "the machine's own network"),
        (AddressRule(), "http://10.0.0.1:{port}/mcp", "a private address"),
    ],
)
async def test_a_server_at_a_forbidden_address_is_not_connected_to(
    start_front: StartFront, stack: AsyncExitStack, reach: AddressRule, url: str, reason: str
) -> None:
    recording = Recording(application())
    base = await stack.enter_async_context(served(recording))
    front = await start_front()
    given = upstream(url.format(port=base.rpartition(":")[2]))
    front.gateway.plugins.set(TOOLS, given, ServerAccess(reach=reach))
    headers, body = call("echo", text="x")
    async with front.client.post(f"{front.url}/plugins/demo/tools/mcp", json=body, headers=headers) as response:
        error = (await response.json())["error"]
        assert response.status == 502
    assert error["data"]["reason"] == "ForbiddenAddress"
    assert reason not in error["message"], "callers are told no address"
    watched = front.gateway.plugins.get(TOOLS)
    assert watched is not None
    with pytest.raises(ServerFailed, match=reason):
        await watched.look()
    assert recording.requests == []


async def test_a_name_that_leads_elsewhere_next_time_is_looked_at_again(
    start_front: StartFront, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    anybody = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    recording = Recording(application(transport_security=anybody))
    base = await stack.enter_async_context(served(recording))
    led: list[str] = []

    async def resolve(host: str, _: int) -> list[str]:
        led.append("127.0.0.1" if not led else "169.254.169.254")
        return [led[-1]]

    monkeypatch.setattr("slipway_runtime.plugins.connection.addresses.resolve", resolve)
    front = await start_front()
    front.gateway.plugins.set(TOOLS, upstream(f"http://tools.example:{base.rpartition(':')[2]}/mcp"), HERE)
    plugin = front.gateway.plugins.get(TOOLS)
    assert plugin is not None
    await plugin.discovery()
    await plugin.server.forget()
    headers, body = call("echo", text="x")
    async with front.client.post(f"{front.url}/plugins/demo/tools/mcp", json=body, headers=headers) as response:
        error = (await response.json())["error"]
    assert error["data"]["reason"] == "ForbiddenAddress"
    assert led == ["127.0.0.1", "169.254.169.254"]


@pytest.mark.proves("Plugin.type", "Plugin.mcp.url", "Plugin.mcp.serviceRef.*")
def test_the_spec_of_a_plugin_says_where_its_server_is() -> None:
    def made(**mcp: Any) -> Plugin:
        return Plugin.model_validate({"metadata": {"name": "t", "namespace": "d"}, "spec": {"type": "mcp", "mcp": mcp}})

    service = server_of(made(serviceRef={"name": "tools", "port": 9000, "path": "/x"}))
    assert (service.url, service.in_cluster) == ("http://tools.d.svc:9000/x", True)
    assert server_of(made(url="https://mcp.example/mcp")).url == "https://mcp.example/mcp"


@pytest.mark.parametrize("mode", MODES)
async def test_tools_of_plugins_are_in_the_federated_server(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode
) -> None:
    """Of servers of either era, under the names of their plugins, and without those that fail."""
    front = await start_front()
    await plug(stack, front, application(), name="one")
    await plug(stack, front, OnlyLegacy(application()), name="two")
    await plug(stack, front, HTML, name="html")
    await plug(stack, front, hung, name="hung")
    for name in ("one", "two"):
        plugin = front.gateway.plugins.get(PluginKey("demo", name))
        assert plugin is not None
        await plugin.discovery()
    front.routes.restrict(
        PluginKey("demo", "two"), Allowed.read({"access": {"tools": [{"name": "secret", "groups": ["staff"]}]}})
    )
    steps: list[float] = []

    async def reported(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async with Client(f"{front.url}/mcp", mode=mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {"one__echo", "two__echo", "one__issues_list", "one__secret"} <= set(names)
        assert "two__secret" not in names
        assert not [name for name in names if name.startswith(("html", "hung"))]
        for name in ("one", "two"):
            assert texts(await client.call_tool(f"{name}__echo", {"text": name})) == [name]
            assert texts(await client.call_tool(f"{name}__issues_list", {"repository": "x"})) == ["issues of x"]
            done = await client.call_tool(f"{name}__steps", {"count": 2}, progress_callback=reported)
            assert texts(done) == ["2 steps"]
        with pytest.raises(MCPError):
            await client.call_tool("two__secret", {})
    assert steps == [1.0, 2.0, 1.0, 2.0]
