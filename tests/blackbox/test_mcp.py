"""An agent as an MCP server, with the official SDK's client, whichever driver runs it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent, TextResourceContents

from tests.blackbox.conftest import AGENT, Target
from tests.blackbox.test_chat import QUESTION

Connect = Callable[[str], Any]


@pytest.fixture(params=["legacy", "2026-07-28"])
def connect(request: pytest.FixtureRequest, target: Target) -> Connect:
    """A client of a server of the gateway."""
    headers = {"Authorization": f"Bearer {target.key}"} if target.key else {}

    @asynccontextmanager
    async def connected(path: str) -> AsyncIterator[Client]:
        async with httpx2.AsyncClient(headers=headers, timeout=300) as http:
            transport = streamable_http_client(target.url + path, http_client=http)
            async with Client(transport, mode=request.param) as client:
                yield client

    return connected


async def test_ask(connect: Connect) -> None:
    noted: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        noted.append(message)

    async with connect(f"/agents/{AGENT}/mcp") as client:
        result = await client.call_tool("ask", {"question": QUESTION}, progress_callback=note)
        assert not result.is_error
        assert "MiniLM" in result.content[0].text
        assert len(noted) > 1
        source = result.structured_content["sources"][0]
        read = await client.read_resource(source["uri"])
    document = read.contents[0]
    assert isinstance(document, TextResourceContents)
    assert document.text[source["start"] : source["end"]] == source["quote"]


async def test_documents_are_searched(connect: Connect) -> None:
    async with connect(f"/agents/{AGENT}/mcp") as client:
        found = await client.call_tool("search_documents", {"query": QUESTION})
        passages = found.structured_content["passages"]
        assert any("MiniLM" in each["text"] for each in passages)
        assert passages == sorted(passages, key=lambda each: -each["score"])
        document = passages[-1]["document"]
        only = await client.call_tool("search_documents", {"query": QUESTION, "filters": {"document": document}})
        assert {each["document"] for each in only.structured_content["passages"]} == {document}
        wrong = await client.call_tool("search_documents", {"query": QUESTION, "filters": {"index": "none"}})
        assert wrong.is_error
        assert isinstance(wrong.content[0], TextContent)


async def test_a_task_is_analysed(connect: Connect) -> None:
    async with connect("/mcp") as client:
        prefix = AGENT.partition("/")[2]
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {f"{prefix}__ask", f"{prefix}__search_documents", f"{prefix}__analyze_task"} <= tools
        assert f"{prefix}__create_workflow" in tools
        found = await client.call_tool(f"{prefix}__analyze_task", {"question": "Compare two indexes", "context": "a"})
    assert found.structured_content["chosen_agent"] == AGENT
    assert found.structured_content["task_category"] == "comparison"
