"""Tools of plugins as tools of a model: their names, and which of them may be called again."""

from types import SimpleNamespace
from typing import Any, cast

from mcp_types import Tool, ToolAnnotations
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel
from pydantic_ai.tools import ToolDefinition

from slipway_crds.contract import PLUGIN_PATH
from slipway_crds.runtimeconfig import PluginConfig
from slipway_runtime.agents.calling import AgentCalls
from slipway_runtime.agents.plugin_tools import plugin_toolsets
from slipway_runtime.models.durable import METADATA
from slipway_runtime.models.scopes import within
from slipway_runtime.run import Run
from tests.support.mcp_servers import listing
from tests.support.serving import served

PATH = PLUGIN_PATH.format(namespace="demo", name="issues")
RUN = cast(Run, SimpleNamespace(agent="demo/desk", notes={}, request=SimpleNamespace(grant="granted")))


async def offered(*tools: str | Tool, page: int = 100) -> dict[str, ToolDefinition]:
    """What a model is offered of a server's tools."""
    model = TestModel(call_tools=[])
    async with served(listing(tools, page=page, streamable_http_path=PATH)) as url:
        calls = AgentCalls(url)
        try:
            with within(RUN):
                plugins = [PluginConfig(name="gh", plugin="issues", required=True)]
                await Agent(model, toolsets=plugin_toolsets(plugins, calls)).run("Which issues are open?")
        finally:
            await calls.close()
    asked = model.last_model_request_parameters
    assert asked is not None
    return {tool.name: tool for tool in asked.function_tools}


async def test_a_tool_is_never_called_twice_unless_its_server_says_that_it_may_be() -> None:
    hints: dict[str, dict[str, Any] | None] = {
        "unsaid": None,
        "empty": {},
        "denied": {"read_only_hint": False, "idempotent_hint": False},
        "harmless": {"destructive_hint": False},
        "reads": {"read_only_hint": True},
        "idempotent": {"idempotent_hint": True},
    }
    found = await offered(
        *(
            Tool(
                name=name,
                input_schema={"type": "object"},
                annotations=None if given is None else ToolAnnotations(**given),
            )
            for name, given in hints.items()
        )
    )
    repeat = {name.removeprefix("gh__"): (tool.metadata or {})[METADATA]["repeat"] for name, tool in found.items()}
    assert repeat == {name: "safe" if name in ("reads", "idempotent") else "never" for name in hints}


async def test_names_that_a_model_does_not_take_become_others_and_none_is_there_twice() -> None:
    long = ["x" * 100 + "1", "x" * 100 + "2"]
    found = await offered("issues.list", "issues_list", "issues/list", *long)
    assert len(found) == 5
    assert "gh__issues_list" in found
    assert all(len(name) <= 64 and name.replace("_", "").replace("-", "").isalnum() for name in found)


async def test_all_pages_of_a_list_are_offered_up_to_a_thousand_tools() -> None:
    names = [f"tool-{number}" for number in range(1500)]
    assert list(await offered(*names[:250], page=100)) == [f"gh__{name}" for name in names[:250]]
    assert list(await offered(*names, page=400)) == [f"gh__{name}" for name in names[:1000]]
