"""Plugins on the federated server besides their tools: resources, prompts, and questions to the client's user."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestParams,
    ElicitResult,
    ListRootsResult,
    PromptReference,
    ResourceLink,
    ResourceTemplateReference,
    TextContent,
)

from slipway_runtime.gateway.routes import AgentAccess, Description, Offer, PluginKey
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront
from tests.runtime.gateway.test_plugin_eras import outcome
from tests.runtime.gateway.test_plugins import HERE, MODES, Mode, plug, texts
from tests.support.mcp_fixture import fixture_server
from tests.support.mcp_servers import OnlyLegacy, OnlyModern, application, upstream

UPSTREAMS = [
    application,
    lambda server: OnlyLegacy(application(server)),
    lambda server: OnlyModern(application(server)),
]


def library() -> MCPServer:
    """A server with a document, a template, a prompt, and a tool that gives the document's address."""
    server = MCPServer("library")

    @server.resource("doc://rules", mime_type="text/plain")
    async def rules() -> str:
        """The rules."""
        return "Be kind."

    @server.resource("note://{name}")
    async def note(name: str) -> str:
        """A note."""
        return f"the note {name}"

    @server.prompt()
    async def explain(word: str) -> str:
        """Explain a word."""
        return f"Explain {word}."

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(ref: Any, argument: CompletionArgument, context: CompletionContext | None) -> Completion:
        about = ref.name if isinstance(ref, PromptReference) else ref.uri
        before = (context.arguments or {}) if context else {}
        return Completion(values=[about, f"{argument.name}={argument.value}", *before], total=3)

    @server.tool()
    async def find() -> ResourceLink:
        """Find the rules."""
        return ResourceLink(uri="doc://rules", name="rules")

    return server


async def plugged(stack: AsyncExitStack, front: Front, app: Any, name: str) -> None:
    """A plugin whose server has been looked at."""
    await plug(stack, front, app, name=name)
    await looked_at(front, name)


async def looked_at(front: Front, name: str) -> None:
    plugin = front.gateway.plugins.get(PluginKey("demo", name))
    assert plugin is not None
    await plugin.discovery()


@pytest.mark.parametrize("serve", UPSTREAMS, ids=["both", "legacy", "modern"])
@pytest.mark.parametrize("mode", MODES)
async def test_resources_and_prompts_are_listed_and_used(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode, serve: Any
) -> None:
    front = await start_front()
    await plugged(stack, front, serve(library()), "library")
    async with Client(f"{front.url}/mcp", mode=mode) as client:
        (resource,) = (await client.list_resources()).resources
        assert str(resource.uri) == "library+doc://rules"
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "library+note://{name}"
        (prompt,) = (await client.list_prompts()).prompts
        assert prompt.name == "library__explain"
        (read,) = (await client.read_resource("library+doc://rules")).contents
        assert (str(read.uri), read.text) == ("library+doc://rules", "Be kind.")  # type: ignore[union-attr]
        (note,) = (await client.read_resource("library+note://a")).contents
        assert note.text == "the note a"  # type: ignore[union-attr]
        (message,) = (await client.get_prompt("library__explain", {"word": "drain"})).messages
        assert message.content.text == "Explain drain."  # type: ignore[union-attr]
        (link,) = (await client.call_tool("library__find", {})).content
        assert isinstance(link, ResourceLink)
        assert str(link.uri) == "library+doc://rules"
        with pytest.raises(MCPError):
            await client.read_resource("library+doc://nothing")
        with pytest.raises(MCPError):
            await client.get_prompt("library__nothing", {})


@pytest.mark.parametrize(
    ("mode", "serve"),
    [*((mode, application) for mode in MODES), ("legacy", UPSTREAMS[2]), ("2026-07-28", UPSTREAMS[1])],
)
async def test_arguments_are_completed_by_the_server_that_has_them(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode, serve: Any
) -> None:
    front = await start_front()
    front.routes.set(SUPPORT, ["http://127.0.0.1:1"])
    front.routes.describe(
        SUPPORT, Description(), offer=Offer.read({"prompts": [{"name": "brief", "text": "Be brief."}]})
    )
    await plugged(stack, front, serve(library()), "library")
    argument = {"name": "word", "value": "dr"}
    async with Client(f"{front.url}/mcp", mode=mode) as client:
        if mode == "legacy":
            assert client.server_capabilities.completions is not None
        prompt = await client.complete(
            PromptReference(name="library__explain"), argument, context_arguments={"language": "en"}
        )
        assert (prompt.completion.values, prompt.completion.total) == (["explain", "word=dr", "language"], 3)
        note = await client.complete(ResourceTemplateReference(uri="library+note://{name}"), argument)
        assert note.completion.values == ["note://{name}", "word=dr"]
        own = await client.complete(PromptReference(name="support__brief"), argument)
        assert own.completion.values == []
        with pytest.raises(MCPError, match="library__nothing"):
            await client.complete(PromptReference(name="library__nothing"), argument)


async def test_a_server_asks_for_sampling_and_roots_within_an_era(
    start_front: StartFront, stack: AsyncExitStack
) -> None:
    front = await start_front()
    url = await stack.enter_async_context(fixture_server())
    front.gateway.plugins.set(PluginKey("demo", "fixture"), upstream(url, "fixture"), HERE)
    await looked_at(front, "fixture")
    asked: list[str] = []

    async def sample(context: object, params: CreateMessageRequestParams) -> CreateMessageResult:
        asked.append(str(params.messages[0].content.text))  # type: ignore[union-attr]
        return CreateMessageResult(role="assistant", content=TextContent(text="Paris"), model="m")

    async def roots(context: object) -> ListRootsResult:
        asked.append("roots")
        return ListRootsResult(roots=[])

    able: Any = {"sampling_callback": sample, "list_roots_callback": roots}
    async with Client(f"{front.url}/mcp", mode="legacy", **able) as client:
        assert texts(await client.call_tool("fixture__test_sampling", {"prompt": "hi"})) == ["LLM response: Paris"]
    async with Client(f"{front.url}/mcp", mode="2026-07-28", **able) as client:
        await client.call_tool("fixture__test_input_required_result_sampling", {})
        await client.call_tool("fixture__test_input_required_result_list_roots", {})
    assert asked == ["hi", "What is the capital of France?", "roots"]
    async with Client(f"{front.url}/mcp", mode="2026-07-28", list_roots_callback=roots) as client:
        with pytest.raises(MCPError, match="sampling, which the client did not declare"):
            await client.call_tool("fixture__test_input_required_result_sampling", {})


async def test_who_may_not_use_a_plugin_sees_none_of_its_resources(
    start_front: StartFront, stack: AsyncExitStack
) -> None:
    front = await start_front()
    await plugged(stack, front, application(library()), "library")
    front.routes.restrict(PluginKey("demo", "library"), AgentAccess(groups=frozenset(("staff",))))
    async with Client(f"{front.url}/mcp") as client:
        assert (await client.list_resources()).resources == []
        assert (await client.list_prompts()).prompts == []
        with pytest.raises(MCPError):
            await client.read_resource("library+doc://rules")


@pytest.mark.parametrize(("mode", "name"), [("legacy", "paint"), ("2026-07-28", "fixture")])
@pytest.mark.parametrize("action", ["accept", "decline"])
async def test_a_server_asks_the_clients_user_within_an_era(
    start_front: StartFront, stack: AsyncExitStack, mode: Any, name: str, action: Any
) -> None:
    front = await start_front()
    await plugged(stack, front, application(), "paint")
    url = await stack.enter_async_context(fixture_server())
    front.gateway.plugins.set(PluginKey("demo", "fixture"), upstream(url, "fixture"), HERE)
    await looked_at(front, "fixture")
    asked: list[str] = []

    async def elicit(context: object, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        content: dict[str, Any] = {"colour": "red"} if mode == "legacy" else {"name": "Ada"}
        return ElicitResult(action=action, content=content if action == "accept" else None)

    tool = {"paint": "paint__paint", "fixture": "fixture__test_input_required_result_elicitation"}[name]
    async with Client(f"{front.url}/mcp", mode=mode, elicitation_callback=elicit) as client:
        said = texts(await client.call_tool(tool, {}))
    assert asked == ["Which colour?" if mode == "legacy" else "What is your name?"]
    if mode == "legacy":
        assert said == ["painted red" if action == "accept" else "not painted"]


@pytest.mark.parametrize(("mode", "app"), [("legacy", OnlyModern), ("2026-07-28", OnlyLegacy)])
async def test_a_server_of_the_other_era_cannot_ask(
    start_front: StartFront, stack: AsyncExitStack, mode: Any, app: Any
) -> None:
    front = await start_front()
    await plugged(stack, front, app(application()), "paint")
    asked: list[object] = []

    async def elicit(context: object, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params)
        return ElicitResult(action="cancel")

    async with Client(f"{front.url}/mcp", mode=mode, elicitation_callback=elicit) as client:
        assert await outcome(client, "paint__paint") in (-32021, -32600, "error")
        assert texts(await client.call_tool("paint__echo", {"text": "goes on"})) == ["goes on"]
    assert asked == []
