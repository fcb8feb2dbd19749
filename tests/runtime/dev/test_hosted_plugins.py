"""Plugins that the local driver serves itself, as pods do in a cluster: the shipped example, an agent, and changes."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import yaml
from mcp import Client
from mcp_types import TextContent

from slipway_runtime.gateway.routes import PluginKey
from tests.runtime.dev.test_plugins import Dev, dev
from tests.support.model_server import model_server
from tests.support.model_wire import Call, Reply
from tests.support.serving import served

__all__ = ["dev"]
EXAMPLE = Path(__file__).parents[3] / "examples" / "rest-tools"
AGENT = """
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: desk, namespace: demo}}
spec:
  architecture: pydantic-ai
  models: [{{name: m, provider: openai-compatible, model: x, baseURL: "{model}"}}]
  tools: [{{name: library, pluginRef: {{name: library}}}}]
"""
MODULE = '''
from slipway_runtime.plugin_api import hookimpl, tool

@tool(read_only=True)
def greet(name: str) -> str:
    """Greet somebody."""
    return f"{GREETING} {name}"

@hookimpl
def slipway_tools(config):
    return [greet]
'''


def library() -> Any:
    """The application of the example."""
    spec = importlib.util.spec_from_file_location("rest_tools_api", EXAMPLE / "api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def manifest(port: str) -> str:
    return (EXAMPLE / "plugin.yaml").read_text().replace("port: 9001", f"port: {port}")


async def called(dev: Dev, plugin: str, name: str, arguments: dict[str, Any]) -> tuple[bool, str]:
    """Whether a call of a tool failed, and what it gave."""
    async with Client(f"{dev.url}/plugins/demo/{plugin}/mcp") as client:
        result = await client.call_tool(name, arguments)
        (content,) = result.content
        assert isinstance(content, TextContent)
        return bool(result.is_error), content.text


async def test_the_rest_tools_example_runs_as_shipped(dev: Dev) -> None:
    async with served(library()) as url:
        await dev.apply(manifest(url.rpartition(":")[2]))
        async with Client(f"{dev.url}/plugins/demo/library/mcp") as client:
            tools = {each.name: each for each in (await client.list_tools()).tools}
        assert sorted(tools) == ["lend_book", "search_books", "show_book"]
        assert tools["lend_book"].input_schema["required"] == ["body"]
        assert await called(dev, "library", "search_books", {"title": "ferry"}) == (
            False,
            '[{"id":"b1","title":"The Ferry Timetable","lent":false}]',
        )
        lent = await called(dev, "library", "lend_book", {"body": {"book": "b1", "reader": "Ada"}})
        assert lent == (False, '{"book":"b1","reader":"Ada","days":28}')
        failed, said = await called(dev, "library", "show_book", {"book": "../books"})
        assert failed
        assert "404" in said


async def test_an_agent_calls_an_operation(dev: Dev) -> None:
    def model(asked: Any) -> Reply | str:
        done = any(each["role"] == "tool" for each in asked.body["messages"])
        return "It is there." if done else Reply(calls=(Call("library__show_book", {"book": "b2"}),))

    async with served(library()) as url:
        with model_server(model) as served_model:
            await dev.apply(manifest(url.rpartition(":")[2]), AGENT.format(model=served_model.base_url))
            assert (await dev.ask())["answer"] == "It is there."
    (told,) = [each["content"] for each in served_model.requests[-1].body["messages"] if each["role"] == "tool"]
    assert "Tides of the North Sea" in told


def python_plugin(code: str, *, digest: str = "") -> str:
    pinned = {"digest": digest} if digest else {}
    plugin = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Plugin",
        "metadata": {"name": "greeter", "namespace": "demo"},
        "spec": {"type": "python", "python": {"module": {"name": "greeter", "key": "greeter.py"}}, **pinned},
    }
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "greeter", "namespace": "demo"}}
    return yaml.safe_dump_all([plugin, {**files, "data": {"greeter.py": code}}])


async def test_another_module_takes_the_place_of_the_one_before_and_a_tampered_one_does_not_run(dev: Dev) -> None:
    hello, tampered = MODULE.replace("{GREETING}", "hello"), MODULE.replace("{GREETING}", "pwned")
    await dev.apply(python_plugin(MODULE.replace("{GREETING}", "hi")))
    assert await called(dev, "greeter", "greet", {"name": "Ada"}) == (False, "hi Ada")
    await dev.apply(python_plugin(hello))
    assert await called(dev, "greeter", "greet", {"name": "Ada"}) == (False, "hello Ada")
    digest = f"sha256:{hashlib.sha256(hello.encode()).hexdigest()}"
    await dev.apply(python_plugin(hello, digest=digest))
    assert await called(dev, "greeter", "greet", {"name": "Ada"}) == (False, "hello Ada")
    await dev.apply(python_plugin(tampered, digest=digest))
    async with dev.client.post(
        "/plugins/demo/greeter/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "greet", "arguments": {}}},
    ) as response:
        error = (await response.json())["error"]
    assert error["data"]["reason"] == "DigestMismatch"
    await dev.apply("")
    assert dev.plugins.get(PluginKey("demo", "greeter")) is None
