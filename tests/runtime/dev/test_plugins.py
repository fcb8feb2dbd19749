"""Plugins in the local driver: callers use them, and agents do for their callers."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from mcp import Client
from rich.console import Console

from slipway_crds.manifests import ManifestDocument
from slipway_crds.resolve import resolve
from slipway_runtime.dev.console import Teller
from slipway_runtime.dev.driver import LocalDriver
from slipway_runtime.dev.manifests import assemble
from slipway_runtime.dev.parts import open_parts
from slipway_runtime.dev.plugins import PluginStates
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.host.app import create_host_app
from slipway_runtime.plugins.server import ServerFailed
from slipway_runtime.settings import default_model_dir
from tests.support.mcp_servers import Application, OnlyLegacy, Recording, application, listing
from tests.support.model_server import model_server
from tests.support.model_wire import Call, Reply
from tests.support.servers import free_port
from tests.support.serving import served

ISSUES = PluginKey("demo", "issues")
PLUGIN = """
apiVersion: slipway.dev/v1alpha1
kind: Plugin
metadata: {{name: issues, namespace: demo}}
spec:
  type: mcp
  mcp:
    serviceRef: {{name: issues, port: {port}}}
    tokenRef: {{name: issues, key: token}}
    tools: {{rename: [{{tool: issues.list, to: list}}]}}
---
apiVersion: v1
kind: Secret
metadata: {{name: issues, namespace: demo}}
stringData: {{token: s3cret}}
"""
AGENT = """
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: desk, namespace: demo}}
spec:
  architecture: pydantic-ai
  models: [{{name: m, provider: openai-compatible, model: x, baseURL: "{model}"}}]
  tools: [{{name: gh, pluginRef: {{name: issues}}{more}}}]
  {approvals}
"""


@dataclass
class Dev:
    """A local driver with a gateway, a host and a server of tools."""

    driver: LocalDriver
    url: str
    client: aiohttp.ClientSession
    server: Recording
    port: str
    plugins: Any

    async def apply(self, *texts: str) -> None:
        values = [value for text in texts for value in yaml.safe_load_all(text)]
        manifests = assemble([ManifestDocument(value, "x.yaml") for value in values])
        await self.driver.apply(manifests, progress=lambda key, progress: None)

    async def ask(self, question: str = "Which issues are open?") -> dict[str, Any]:
        async with self.client.post("/agents/demo/desk/chat", json={"question": question}) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            return {**answer, "code": response.status}


@pytest.fixture
async def dev(tmp_path: Path) -> AsyncIterator[Dev]:
    async with AsyncExitStack() as stack:
        recording = Recording(application())
        port = (await stack.enter_async_context(served(recording))).rpartition(":")[2]
        front, back = free_port(), free_port()
        url = f"http://127.0.0.1:{front}"
        opened = open_parts(tmp_path, model=default_model_dir(), delta_delay=0, gateway_url=url)
        parts = await stack.enter_async_context(opened)
        driver = LocalDriver(parts, host_url=f"http://127.0.0.1:{back}")
        await stack.enter_async_context(served(create_host_app(parts.host), port=back))
        await stack.enter_async_context(served(create_app(parts.gateway), port=front))
        client = await stack.enter_async_context(aiohttp.ClientSession(url))
        yield Dev(driver, url, client, recording, port, parts.gateway.plugins)


async def test_a_plugin_is_served_with_its_secret_and_goes_with_its_manifest(dev: Dev) -> None:
    await dev.apply(PLUGIN.format(port=dev.port))
    async with Client(f"{dev.url}/plugins/demo/issues/mcp") as client:
        assert (await client.call_tool("list", {"repository": "x"})).content[0].text == "issues of x"  # type: ignore[union-attr]
    ((headers, _),) = dev.server.of("tools/call")
    assert headers["authorization"] == "Bearer s3cret"
    await dev.apply("")
    async with dev.client.post("/plugins/demo/issues/mcp", json={}) as response:
        assert response.status == 404


async def test_what_is_known_of_a_plugin_is_told_when_it_changes(dev: Dev) -> None:
    told: list[tuple[str, str, bool | None]] = []
    PluginStates(dev.plugins, lambda key, state, well: told.append((str(key), state, well))).look()
    assert told == []
    await dev.apply(PLUGIN.format(port=dev.port))
    await dev.plugins.get(ISSUES).look()
    await dev.plugins.get(ISSUES).look()
    dead = free_port()
    await dev.apply(PLUGIN.format(port=dead))
    with pytest.raises(ServerFailed):
        await dev.plugins.get(ISSUES).look()
    unreachable = f"the server of plugin demo/issues cannot be reached at 127.0.0.1:{dead}: no connection: "
    assert told == [
        ("demo/issues", "its server is being asked", None),
        ("demo/issues", "5 tools, MCP 2026-07-28", True),
        ("demo/issues", "its server is being asked", None),
        ("demo/issues", f"ServerUnreachable, {unreachable}connection refused", False),
    ]
    out = StringIO()
    Teller(Console(file=out, soft_wrap=True)).plugin("demo/issues", "http://x", "5 tools", well=True)
    assert out.getvalue() == "plugin demo/issues at http://x/plugins/demo/issues/mcp: 5 tools\n"


def calls(answer: str, tool: str, arguments: dict[str, Any]) -> Callable[[Any], Reply | str]:
    """A model that calls a tool once and then answers."""

    def reply(asked: Any) -> Reply | str:
        done = any(each["role"] == "tool" for each in asked.body["messages"])
        return answer if done else Reply(calls=(Call(tool, arguments),))

    return reply


def calls_list(answer: str, *, tool: str = "gh__list") -> Callable[[Any], Reply | str]:
    return calls(answer, tool, {"repository": "slipway"})


@pytest.mark.proves("Agent.tools[].pluginRef.*")
async def test_an_agent_calls_a_plugins_tool_for_its_caller(dev: Dev) -> None:
    with model_server(calls_list("None is open.")) as model:
        await dev.apply(PLUGIN.format(port=dev.port), AGENT.format(model=model.base_url, more="", approvals=""))
        assert (await dev.ask())["answer"] == "None is open."
    offered = {tool["function"]["name"]: tool["function"] for tool in model.requests[0].body["tools"]}
    assert {"gh__list", "gh__echo", "gh__secret"} <= offered.keys()
    assert offered["gh__list"]["parameters"]["required"] == ["repository"]
    (told,) = [each["content"] for each in model.requests[-1].body["messages"] if each["role"] == "tool"]
    assert told == '<result tool="gh__list">\nissues of slipway\n</result>'
    assert [body["params"]["name"] for _, body in dev.server.of("tools/call")] == ["issues.list"]


async def test_a_plugins_tool_waits_for_a_person_where_its_entry_does(dev: Dev) -> None:
    with model_server(calls_list("None is open.")) as model:
        waits = AGENT.format(model=model.base_url, more="", approvals="approvals: [{tool: gh}]")
        await dev.apply(PLUGIN.format(port=dev.port), waits)
        asked = await dev.ask()
    assert asked["code"] == 202
    assert dev.server.of("tools/call") == []


@pytest.mark.parametrize("wrapped", [lambda app: app, OnlyLegacy], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("size", "said"),
    [(3 * 2**20, "[cut: 3145728 characters]"), (9 * 2**20, "The tool gave no result (AnswerTooLarge)")],
    ids=["long", "too-long"],
)
async def test_a_long_answer_is_cut_and_one_that_is_too_long_is_told_to_the_model(
    dev: Dev, size: int, said: str, wrapped: Callable[[Application], Application]
) -> None:
    async with served(wrapped(listing(["long"], bytes_of=size))) as url:
        with model_server(calls_list("It is long.", tool="gh__long")) as model:
            plugin = PLUGIN.format(port=url.rpartition(":")[2])
            await dev.apply(plugin, AGENT.format(model=model.base_url, more="", approvals=""))
            assert (await dev.ask())["answer"] == "It is long."
    (told,) = [each["content"] for each in model.requests[-1].body["messages"] if each["role"] == "tool"]
    assert said in told
    assert len(told) < 33_000


@pytest.mark.parametrize(("more", "code"), [("", 200), (", required: true", 503)])
async def test_a_tool_that_gives_nothing_is_told_to_the_model_or_fails_the_answer(
    dev: Dev, more: str, code: int
) -> None:
    with model_server(calls_list("I cannot say.")) as model:
        await dev.apply(PLUGIN.format(port=dev.port), AGENT.format(model=model.base_url, more=more, approvals=""))
        plugin = dev.plugins.get(PluginKey("demo", "issues"))
        await plugin.discovery()
        for _ in range(5):
            plugin.server.circuit.failed()
        answer = await dev.ask()
    assert answer["code"] == code


def test_an_agent_waits_for_its_plugin() -> None:
    agent = yaml.safe_load(AGENT.format(model="http://llm:80/v1", more="", approvals=""))
    manifests = assemble([ManifestDocument(agent, "x.yaml")])
    _, problems = resolve(manifests.objects)
    (problem,) = [each for each in problems if each.reason == "WaitingForPlugin"]
    assert problem.path == "spec.tools[0].pluginRef.name"
