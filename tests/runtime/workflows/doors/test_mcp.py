"""A workflow as a tool of `/mcp`, with the official SDK's client, in both eras."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from slipway_runtime.workflows.records import RunState
from tests.runtime.workflows.doors.conftest import LONG, Doors
from tests.support.waiting import until_async
from tests.support.workflows import WORKFLOW, failing, giving

SPEC = """
description: Greets somebody.
input: {schema: {type: object, required: [name], properties: {name: {type: string}}}}
steps:
  - {name: greet, agentRef: {name: clerk}, ask: "Hello ${input.name}"}
  - {name: again, needs: [greet], agentRef: {name: clerk}, ask: "${steps.greet.given.question}!"}
output: {value: "{'said': steps.again.given.question}"}
"""
TOOL = "test__run"


@pytest.fixture(params=["legacy", "2026-07-28"])
def era(request: pytest.FixtureRequest) -> Any:
    return request.param


@asynccontextmanager
async def client_of(doors: Doors, key: str, era: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{doors.front.url}/mcp", http_client=http), mode=era) as client,
    ):
        yield client


@pytest.mark.proves("Workflow.description", "Workflow.input.schema")
async def test_a_workflow_is_a_tool_with_its_input_and_progress(doors: Doors, era: Any) -> None:
    doors.define(SPEC)
    told: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with client_of(doors, doors.other, era) as client:
        (tool,) = (await client.list_tools()).tools
        assert (tool.name, tool.input_schema["required"]) == (TOOL, ["name"])
        assert (tool.description or "").startswith("Greets somebody.")
        result = await client.call_tool(TOOL, {"name": "Ada"}, progress_callback=note)
        refused = await client.call_tool(TOOL, {"name": 7})
    assert not result.is_error, result.content
    found = result.structured_content or {}
    assert found["output"] == {"said": "Hello Ada!"}
    assert told == ["greet has begun, by clerk", "greet succeeded", "again has begun, by clerk", "again succeeded"]
    run = await doors.engine.engine.store.read(found["run_id"])
    assert (run.started_by, run.caller) == ("mcp", "other")
    assert refused.is_error, "input that does not fit is for the model to read"
    assert "name" in str(refused.content)


async def test_a_run_that_fails_is_a_result_for_the_model(doors: Doors, era: Any) -> None:
    doors.define(SPEC)
    doors.engine.agents.tools["clerk.ask"] = failing("NoAnswer", times=9, final=True)
    async with client_of(doors, doors.other, era) as client:
        result = await client.call_tool(TOOL, {"name": "Ada"})
    assert result.is_error
    assert "NoAnswer" in str(result.content)


@pytest.mark.proves("Workflow.access.groups")
async def test_only_those_see_it_who_may_use_it(doors: Doors, era: Any) -> None:
    doors.define(SPEC, groups=["leads"])
    for key, tools in ((doors.lead, [TOOL]), (doors.other, [])):
        async with client_of(doors, key, era) as client:
            assert [each.name for each in (await client.list_tools()).tools] == tools


async def test_a_client_that_leaves_does_not_end_the_run(doors: Doors, era: Any) -> None:
    doors.define("steps: [{name: wait, wait: {event: go}}]")

    async def waits() -> bool:
        runs = await doors.engine.engine.store.listed(WORKFLOW)
        return [run.state for run in runs] == [RunState.WAITING]

    async def call() -> None:
        async with client_of(doors, doors.other, era) as client:
            await client.call_tool(TOOL, {})

    calling = asyncio.create_task(call())
    await until_async(waits, "the run waits")
    calling.cancel()
    await asyncio.wait({calling})
    assert await waits()


async def test_a_long_output_is_whole_up_to_a_bound(doors: Doors, era: Any) -> None:
    doors.define(LONG)
    agents = doors.engine.agents
    async with client_of(doors, doors.other, era) as client:
        agents.tools["clerk.ask"] = giving({"text": "x" * 200_000})
        whole = await client.call_tool(TOOL, {})
        agents.tools["clerk.ask"] = giving({"text": "x" * 2_000_000})
        cut = await client.call_tool(TOOL, {})
    assert (whole.structured_content or {})["output"] == {"text": "x" * 200_000}
    found = cut.structured_content or {}
    assert (cut.is_error, found["output_bytes"]) == (False, 2_000_011)
    assert f"GET /workflows/demo/test/runs/{found['run_id']} has it" in str(cut.content)
