"""Plugins that a connector loads itself: checked before anything runs, served to the gateway, loaded again."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from mcp import Client
from mcp_types import TextContent
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from slipway_crds.plugins.connector import SOURCE_FILE
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.upstream import connector_of
from slipway_runtime.addresses import AddressRule
from slipway_runtime.circuit import FAILURES
from slipway_runtime.connector.hosted_app import create_hosted_app
from slipway_runtime.connector.hosting import HostedPlugin
from slipway_runtime.connector.image_verification import check_image
from slipway_runtime.connector.loaders import Surroundings
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.plugins.source import ClusterAccess
from slipway_runtime.gateway.routes import PluginKey, RouteTable
from slipway_runtime.identity import GATEWAY, HEADER, IdentitySigner, IdentityVerifier
from slipway_runtime.plugins.loaded import LoadedPlugin, LoadedTool, PluginNotLoaded, ToolAnswer
from slipway_runtime.plugins.signing import image_payload
from slipway_runtime.plugins.sources import read_source
from slipway_runtime.plugins.verification import check_source
from slipway_runtime.settings import GatewaySettings
from tests.support.serving import served

HERE = AddressRule(private=True, loopback=True)
SIGNER = IdentitySigner.generate()
Call = Callable[[Any], Awaitable[ToolAnswer]]


def plugin(**spec: Any) -> Plugin:
    module = {"name": "code", "key": "plugin.py"}
    given = {"type": "python", "python": {"module": module}, **spec}
    return Plugin.model_validate({"metadata": {"name": "tools", "namespace": "demo"}, "spec": given})


async def echo(arguments: Any) -> ToolAnswer:
    return ToolAnswer(f"said {arguments['text']}", {"said": arguments["text"]})


async def raising(_: Any) -> ToolAnswer:
    raise ZeroDivisionError("by nothing")


def tool(name: str, call: Call) -> LoadedTool:
    return LoadedTool(name=name, description="A tool.", input_schema={"type": "object"}, call=call)


async def hello(_: Request) -> JSONResponse:
    return JSONResponse({"hello": "there"})


async def of_source(plugin: Plugin, surroundings: Surroundings) -> LoadedPlugin:
    """A loader of which the source is the name of a further tool."""
    source = await read_source(plugin, surroundings.folder, surroundings.reach)
    if source == b"broken":
        raise SyntaxError("not my code")
    tools = [tool("echo", echo), tool("raising", raising), tool(source.decode(), echo)]
    return LoadedPlugin(tools=tools, routes=[Route("/hello", hello)])


async def hosted(stack: AsyncExitStack, folder: Path, **spec: Any) -> tuple[HostedPlugin, str, str]:
    """The plugin, its connector's URL, and the gateway's for it."""
    given = HostedPlugin(plugin(**spec), Surroundings(folder, HERE), load=of_source)
    stack.push_async_callback(given.close)
    connector = await stack.enter_async_context(served(create_hosted_app(given, IdentityVerifier([SIGNER.public_key]))))
    settings = GatewaySettings(auth_mode="open")
    gateway = await stack.enter_async_context(assembled(settings, routes=RouteTable(), signer=SIGNER))
    upstream = connector_of(given.plugin, f"{connector}/mcp")
    gateway.plugins.set(PluginKey("demo", "tools"), upstream, ClusterAccess(SIGNER, loopback=True)(upstream))
    return given, connector, await stack.enter_async_context(served(create_app(gateway))) + "/plugins/demo/tools/mcp"


def said(result: Any) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def test_tools_are_served_to_clients_of_both_eras_and_a_raising_one_ends_its_call_only(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    (tmp_path / SOURCE_FILE).write_text("third")
    given, _, url = await hosted(stack, tmp_path)
    await given.look()
    for mode in ("legacy", "2026-07-28"):
        async with Client(url, mode=mode) as client:
            assert [each.name for each in (await client.list_tools()).tools] == ["echo", "raising", "third"]
            failed = await client.call_tool("raising", {})
            assert failed.is_error
            assert said(failed) == "the plugin tools failed (Raised): the log of its pod says more"
            answer = await client.call_tool("echo", {"text": "hi"})
            assert (said(answer), answer.structured_content) == ("said hi", {"said": "hi"})
    assert given.report()["toolCount"] == 3


async def test_a_changed_file_is_loaded_and_a_broken_one_is_told(stack: AsyncExitStack, tmp_path: Path) -> None:
    (tmp_path / SOURCE_FILE).write_text("before")
    given, _, url = await hosted(stack, tmp_path)
    await given.look()
    (tmp_path / SOURCE_FILE).write_text("after")
    await given.look()
    async with Client(url) as client:
        assert [each.name for each in (await client.list_tools()).tools][2] == "after"
    (tmp_path / SOURCE_FILE).write_text("broken")
    await given.look()
    assert given.report()["reason"] == "PluginFailed"
    assert "not my code" in given.report()["error"]
    async with aiohttp.ClientSession() as http:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
        async with http.post(url, json=message) as response:
            error = (await response.json())["error"]
            assert error["data"]["reason"] == "PluginFailed"
            assert "not my code" not in error["message"]


async def test_calls_of_a_refused_plugin_keep_the_reason(stack: AsyncExitStack, tmp_path: Path) -> None:
    (tmp_path / SOURCE_FILE).write_text("tampered")
    given, _, url = await hosted(stack, tmp_path, digest=f"sha256:{64 * '0'}")
    await given.look()
    async with aiohttp.ClientSession() as http:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
        for _ in range(FAILURES + 2):
            async with http.post(url, json=message) as response:
                assert (await response.json())["error"]["data"]["reason"] == "DigestMismatch"
            async with http.get(url.removesuffix("/mcp") + "/hello") as response:
                assert response.status == 503
                assert "DigestMismatch" in (await response.json())["detail"]


async def test_only_the_gateway_gets_in_to_tools_and_end_points(stack: AsyncExitStack, tmp_path: Path) -> None:
    (tmp_path / SOURCE_FILE).write_text("third")
    given, connector, _ = await hosted(stack, tmp_path)
    await given.look()
    async with aiohttp.ClientSession() as http:
        for token, status in ((SIGNER.sign(GATEWAY, "plugin:demo/tools"), 200), ("x", 401), ("", 401)):
            async with http.get(f"{connector}/http/hello", headers={HEADER: token}) as response:
                assert response.status == status
        async with http.post(f"{connector}/mcp", json={}) as response:
            assert response.status == 401


async def test_nothing_runs_that_is_not_what_the_digest_names(tmp_path: Path) -> None:
    source = tmp_path / SOURCE_FILE
    source.write_bytes(b"good")
    pinned = plugin(digest=f"sha256:{hashlib.sha256(b'good').hexdigest()}")
    assert await read_source(pinned, tmp_path, HERE) == b"good"
    source.write_bytes(b"tampered")
    with pytest.raises(PluginNotLoaded) as caught:
        await read_source(pinned, tmp_path, HERE)
    assert caught.value.reason == "DigestMismatch"
    source.unlink()
    with pytest.raises(PluginNotLoaded, match="create it"):
        await read_source(pinned, tmp_path, HERE)


def signed(data: bytes, *, ed: bool = False) -> tuple[str, str]:
    """A signature as base64, and the public key of who made it."""
    if ed:
        own = ed25519.Ed25519PrivateKey.generate()
        value, public = own.sign(data), own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        value = key.sign(data, ec.ECDSA(SHA256()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(value).decode(), public.decode()


@pytest.mark.proves("Plugin.signature.*")
@pytest.mark.parametrize("ed", [False, True], ids=["ecdsa", "ed25519"])
def test_a_signature_is_of_one_of_the_keys_and_of_one_that_still_counts(tmp_path: Path, ed: bool) -> None:
    value, pem = signed(b"code", ed=ed)
    _, other = signed(b"code")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/1.pem").write_text(pem)
    now = datetime(2026, 12, 1, 23, 59, tzinfo=UTC)

    def check(data: bytes, *keys: dict[str, Any]) -> str:
        try:
            check_source(plugin(signature={"value": value, "keys": keys}), data, tmp_path, now=now)
        except PluginNotLoaded as error:
            return error.reason
        return ""

    mounted = {"configMapRef": {"name": "keys", "key": "k"}}  # in the file of the second one
    assert check(b"code", {"pem": other}, {"pem": pem, "expires": "2026-12-01"}) == ""
    assert check(b"code", {"pem": other}, mounted) == ""
    assert check(b"tampered", {"pem": pem}) == "SignatureInvalid"
    assert check(b"code", {"pem": other}) == "SignatureInvalid"
    assert check(b"code", mounted, {"pem": other}) == "KeyMissing"
    assert check(b"code", {"pem": pem, "expires": "2026-11-30"}) == "KeyExpired"


def test_a_signature_of_an_image_is_of_the_digest_that_runs(tmp_path: Path) -> None:
    digest = "sha256:" + 64 * "1"
    payload = image_payload("registry.example.com/issues", digest).decode()
    value, pem = signed(payload.encode())

    def check(name: str, text: str = payload) -> str:
        signature = {"value": value, "payload": text, "keys": [{"pem": pem}]}
        spec = {"type": "mcp", "mcp": {"image": {"name": name}}, "signature": signature}
        made = Plugin.model_validate({"metadata": {"name": "tools", "namespace": "demo"}, "spec": spec})
        try:
            check_image(made, tmp_path)
        except PluginNotLoaded as error:
            return error.reason
        return ""

    assert check(f"registry.example.com/issues@{digest}") == ""
    assert check(f"registry.example.com/issues@sha256:{64 * '2'}") == "DigestMismatch"
    assert check(f"registry.example.com/issues@{digest}", payload.replace("1111", "2222")) == "SignatureInvalid"
