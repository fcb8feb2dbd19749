"""Plugins that ask agents while a tool of theirs is called: those that they may, as the caller, and no longer."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import wasmtime
import yaml
from mcp import Client

from tests.runtime.dev.test_plugins import Dev, dev
from tests.support.mcp_servers import OnlyLegacy, Recording, application
from tests.support.model_server import model_server
from tests.support.serving import served

__all__ = ["dev"]
AGENT = """
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: {name}, namespace: demo}}
spec:
  architecture: pydantic-ai
  models: [{{name: m, provider: openai-compatible, model: x, baseURL: "{model}"}}]
"""
DESCRIBED = {"tools": [{"name": "act", "description": "Act."}]}
ASKS = {
    "ask": [{"agent": "desk", "question": "Who?"}, {"agent": "other", "question": "Who else?"}],
    "state": {"begun": True},
}
FIRST = b'{"call":"tool","config":{},"name":"act","arguments":{}'
"""A call until it says what agents answered, if it says that."""


def asking(asks: object = ASKS) -> bytes:
    """A module whose tool asks, and gives the request that it got then as its result."""

    def place(at: int, text: str) -> str:
        return f"(i64.or (i64.shl (i64.const {at}) (i64.const 32)) (i64.const {len(text)}))"

    says, wants = json.dumps(DESCRIBED), json.dumps(asks)
    quoted = [text.replace('"', '\\"') for text in (says, wants, '{"result":')]
    text = f"""(module (memory (export "memory") 4)
      (data (i32.const 1024) "{quoted[0]}") (data (i32.const 16384) "{quoted[1]}")
      (data (i32.const 65526) "{quoted[2]}")
      (func (export "alloc") (param i32) (result i32) (i32.const 65536))
      (func (export "handle") (param $at i32) (param $length i32) (result i64)
        (if (i32.eq (i32.load8_u (i32.const 65545)) (i32.const 100)) (then (return {place(1024, says)})))
        (if (i32.ne (i32.load8_u (i32.const {65536 + len(FIRST)})) (i32.const 44))
          (then (return {place(16384, wants)})))
        (i32.store8 (i32.add (i32.const 65536) (local.get $length)) (i32.const 125))
        (i64.or (i64.shl (i64.const 65526) (i64.const 32))
          (i64.extend_i32_u (i32.add (local.get $length) (i32.const 11))))))"""
    return bytes(wasmtime.wat2wasm(text))


def manifests(model: str, code: bytes, **permissions: Any) -> str:
    plugin = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Plugin",
        "metadata": {"name": "triage", "namespace": "demo"},
        "spec": {
            "type": "wasm",
            "wasm": {"source": {"configMapRef": {"name": "triage", "key": "triage.wasm"}}},
            "digest": f"sha256:{hashlib.sha256(code).hexdigest()}",
            "permissions": permissions,
        },
    }
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "triage", "namespace": "demo"}}
    data = {"triage.wasm": base64.b64encode(code).decode()}
    agents = [AGENT.format(name=name, model=model) for name in ("desk", "other")]
    return "---".join([yaml.safe_dump_all([plugin, {**files, "binaryData": data}]), *agents])


async def acted(dev: Dev) -> Any:
    async with Client(f"{dev.url}/plugins/demo/triage/mcp") as client:
        return await client.call_tool("act", {})


@pytest.mark.proves("Plugin.permissions.agents")
async def test_a_module_gets_the_answers_of_the_agents_that_it_may_ask(dev: Dev) -> None:
    with model_server(lambda _: "Ada.") as model:
        await dev.apply(manifests(model.base_url, asking(), agents=["desk"]))
        given = (await acted(dev)).structured_content
    assert given["state"] == {"begun": True}
    desk, other = given["answers"]
    assert desk == {"answer": "Ada.", "abstained": False}
    assert other["reason"] == "NotAMember"
    assert "plugin:demo/triage may ask the agents among its permissions" in other["error"]


async def test_a_module_without_the_permission_asks_nobody(dev: Dev) -> None:
    with model_server(lambda _: "Ada.") as model:
        await dev.apply(manifests(model.base_url, asking()))
        given = (await acted(dev)).structured_content
    assert [each["reason"] for each in given["answers"]] == ["NotAMember", "NotAMember"]
    assert model.requests == []


async def test_questions_that_cannot_be_read_are_a_failure_of_the_module(dev: Dev) -> None:
    with model_server(lambda _: "Ada.") as model:
        await dev.apply(manifests(model.base_url, asking({"ask": [{"agent": "../desk"}]}), agents=["desk"]))
        result = await acted(dev)
    assert result.is_error
    assert "InvalidResult" in result.content[0].text


IMAGE = """
apiVersion: slipway.dev/v1alpha1
kind: Plugin
metadata: {{name: issues, namespace: demo}}
spec:
  type: mcp
  mcp: {{image: {{name: "registry.example.com/issues@sha256:{digest}", port: {port}}}}}
  {permissions}
"""


@pytest.fixture(params=[application, lambda: OnlyLegacy(application())], ids=["modern", "legacy"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Recording, str]]:
    """A server of tools, and its port."""
    recording = Recording(request.param())
    async with served(recording) as url:
        yield recording, url.rpartition(":")[2]


async def test_a_server_gets_a_token_for_the_agents_that_it_may_ask(server: tuple[Recording, str], dev: Dev) -> None:
    recording, port = server
    with model_server(lambda _: "Ada.") as model:
        token = await called(dev, recording, port, model.base_url, "permissions: {agents: [desk]}")
        assert [each for each, _ in recording.of("tools/list") if "x-slipway-grant" in each] == []
        asked = await ask(dev, "desk", token)
        assert (asked["code"], asked["answer"]) == (200, "Ada.")
        refused = await ask(dev, "other", token)
        assert (refused["code"], refused["reason"]) == (403, "NotAMember")


async def test_a_permission_that_is_taken_away_counts_no_more(server: tuple[Recording, str], dev: Dev) -> None:
    recording, port = server
    with model_server(lambda _: "Ada.") as model:
        token = await called(dev, recording, port, model.base_url, "permissions: {agents: [desk]}")
        assert await called(dev, recording, port, model.base_url, "") == {}
        refused = await ask(dev, "desk", token)
        assert (refused["code"], refused["reason"]) == (403, "NotAMember")
        assert model.requests == []


async def called(dev: Dev, recording: Recording, port: str, model: str, permissions: str) -> dict[str, str]:
    """What the server may ask agents with, in a call of a tool."""
    agents = [AGENT.format(name=name, model=model) for name in ("desk", "other")]
    await dev.apply(IMAGE.format(digest="0" * 64, port=port, permissions=permissions), *agents)
    async with Client(f"{dev.url}/plugins/demo/issues/mcp") as client:
        await client.list_tools()
        await client.call_tool("echo", {"text": "hello"})
    headers, _ = recording.of("tools/call")[-1]
    grant = headers.get("x-slipway-grant")
    return {"Authorization": f"Bearer {grant}"} if grant else {}


async def ask(dev: Dev, agent: str, headers: dict[str, str]) -> dict[str, Any]:
    path, body = f"/agents/demo/{agent}/chat", {"question": "Who?"}
    async with dev.client.post(path, json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json(content_type=None)
        return {**answer, "code": response.status}
