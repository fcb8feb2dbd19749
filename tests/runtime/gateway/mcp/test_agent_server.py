"""An agent as an MCP server, with the official SDK's client, in both eras."""

from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from slipway_runtime.gateway.routes import Description, Offer
from tests.runtime.gateway.conftest import SUPPORT, Front
from tests.support.scripted_host import words

ERAS = ["legacy", "2026-07-28", "auto"]
MCP = f"/agents/{SUPPORT}/mcp"


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def front(front: Front) -> Front:
    front.routes.describe(SUPPORT, Description(architecture="langgraph", description="Knows the product."))
    return front


def said(result: object) -> str:
    """The words of a tool's result that are for the user."""
    content = result.content  # type: ignore[attr-defined]
    return "\n".join(each.text for each in content if isinstance(each, TextContent) and not each.annotations)


async def test_tools_are_listed(front: Front, era: Any) -> None:
    async with Client(front.url + MCP, mode=era) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"ask", "analyze_task", "create_workflow"}
        assert "Knows the product." in (tools["ask"].description or "")
        assert tools["ask"].input_schema["required"] == ["question"]


async def test_ask_answers_with_progress(front: Front, era: Any) -> None:
    async with Client(front.url + MCP, mode=era) as client:
        noted: list[tuple[float, str | None]] = []

        async def note(progress: float, total: float | None, message: str | None) -> None:
            noted.append((progress, message))

        result = await client.call_tool("ask", {"question": "say 3 words"}, progress_callback=note)
        assert said(result) == "".join(words(3))
        assert result.structured_content is not None
        assert result.structured_content["answer"] == "".join(words(3))
        assert [message for _, message in noted] == ["Found 1 passages", *words(3)]
        assert [done for done, _ in noted] == [1, 2, 3, 4]


async def test_a_question_follows_up_on_an_earlier_one(front: Front, era: Any) -> None:
    async with Client(front.url + MCP, mode=era) as client:
        first = await client.call_tool("ask", {"question": "1 words"})
        assert first.structured_content is not None
        session = first.structured_content["session_id"]
        told = first.content[-1]
        assert isinstance(told, TextContent)
        assert (told.text, told.annotations and told.annotations.audience) == (f"session_id: {session}", ["assistant"])
        again = await client.call_tool("ask", {"question": "2 words", "session": session})
        assert again.structured_content is not None
        assert again.structured_content["session_id"] == session
        alone = await client.call_tool("ask", {"question": "2 words"})
        assert alone.structured_content is not None
        assert alone.structured_content["session_id"] != session
        async with front.client.get(f"/agents/{SUPPORT}/sessions/{session}") as response:
            turns = (await response.json())["turns"]
        assert [(turn["question"], turn["answer"]) for turn in turns] == [
            ("1 words", "".join(words(1))),
            ("2 words", "".join(words(2))),
        ]
        unknown = await client.call_tool("ask", {"question": "1 words", "session": "0" * 32})
        assert unknown.is_error
        assert "SessionNotFound" in said(unknown)
        wrong = await client.call_tool("ask", {"question": "1 words", "session": "no such/id"})
        assert wrong.is_error
        assert "session" in said(wrong)


async def test_a_mistake_is_a_result_for_the_model(front: Front, era: Any) -> None:
    async with Client(front.url + MCP, mode=era) as client:
        result = await client.call_tool("ask", {"query": "x"})
        assert result.is_error
        assert "question" in said(result)


async def test_a_run_that_fails_is_a_result_too(front: Front, era: Any) -> None:
    async with Client(front.url + MCP, mode=era) as client:
        result = await client.call_tool("ask", {"question": "fail"})
        assert result.is_error
        assert "InternalError" in said(result)


async def test_the_federated_server_prefixes_names(front: Front, era: Any) -> None:
    async with Client(f"{front.url}/mcp", mode=era) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools == {"support__ask", "support__analyze_task", "support__create_workflow"}
        result = await client.call_tool("support__ask", {"question": "say 2 words"})
        assert said(result) == "".join(words(2))


PROMPTS = [
    {
        "name": "brief",
        "description": "A short summary",
        "arguments": [{"name": "topic", "required": True}, {"name": "tone", "description": "formal or not"}],
        "text": "Summarise {topic}. {tone} Leave {this} as it is.",
    }
]


@pytest.mark.proves(
    "Agent.prompts[].name",
    "Agent.prompts[].description",
    "Agent.prompts[].text",
    "Agent.prompts[].arguments[].name",
    "Agent.prompts[].arguments[].description",
    "Agent.prompts[].arguments[].required",
)
async def test_prompts_are_those_of_the_spec(front: Front, era: Any) -> None:
    front.routes.describe(SUPPORT, Description(), offer=Offer.read({"prompts": PROMPTS}))
    async with Client(front.url + MCP, mode=era) as client:
        (listed,) = (await client.list_prompts()).prompts
        assert (listed.name, listed.description) == ("brief", "A short summary")
        assert [(each.name, each.description, each.required) for each in listed.arguments or ()] == [
            ("topic", None, True),
            ("tone", "formal or not", None),
        ]
        given = await client.get_prompt("brief", {"topic": "returns"})
        with pytest.raises(MCPError, match="topic"):
            await client.get_prompt("brief", {})
        with pytest.raises(MCPError, match="no other"):
            await client.get_prompt("other", {})
    (message,) = given.messages
    assert isinstance(message.content, TextContent)
    assert message.content.text == "Summarise returns.  Leave {this} as it is."
