"""A run that waits for a person, with the official SDK's client: it asks its user, or names the place."""

from typing import Any

import pytest
from mcp import Client
from mcp_types import ElicitRequestParams, ElicitResult, TextContent

from tests.runtime.gateway.conftest import SUPPORT, Front
from tests.support.mcp_wire import Wire, ask, messages, modern
from tests.support.scripted_host import words

MCP = f"/agents/{SUPPORT}/mcp"
QUESTION = {"question": "ask me, then say 2 words"}
ERAS = ["legacy", "2026-07-28"]


async def said(client: Client) -> str:
    result = await client.call_tool("ask", QUESTION)
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(("path", "tool"), [(MCP, "ask"), ("/mcp", "support__ask")])
@pytest.mark.parametrize(("action", "answer"), [("accept", "".join(words(2))), ("decline", ""), ("cancel", "")])
async def test_the_clients_user_is_asked(
    front: Front, mode: Any, path: str, tool: str, action: Any, answer: str
) -> None:
    asked: list[str] = []

    async def elicit(context: object, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action=action, content={} if action == "accept" else None)

    async with Client(front.url + path, mode=mode, elicitation_callback=elicit) as client:
        result = await client.call_tool(tool, QUESTION)
    assert result.structured_content is not None
    assert result.structured_content["answer"] == answer
    assert asked == ["Go on?"]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_that_cannot_ask_is_told_the_place(front: Front, mode: Any) -> None:
    async with Client(front.url + MCP, mode=mode) as client:
        text = await said(client)
    assert "waits for an approval from caller: Go on?" in text
    place = text.split("POST ")[1].split(",")[0]
    run = place.partition("/input/")[0]
    async with front.client.post(place, json={"approved": True}) as given:
        assert given.status == 200
    async with front.client.get(run, headers={"Accept": "application/json"}) as response:
        assert (await response.json())["answer"] == "".join(words(2))


async def test_an_answer_to_another_question_asks_again(front: Front) -> None:
    wire = Wire(front.client, MCP)
    message, headers = modern(ask("ask me"), capabilities={"elicitation": {}})
    async with wire.post(message, **headers) as response:
        ((_, first),) = [each async for each in messages(response)]
    state = first["result"]["requestState"]
    again = {
        **message,
        "params": {**message["params"], "requestState": state, "inputResponses": {"odd": {"action": "cancel"}}},
    }
    async with wire.post(again, **headers) as response:
        result = (await response.json())["result"]
    assert (result["resultType"], result["inputRequests"]) == ("input_required", first["result"]["inputRequests"])


@pytest.mark.parametrize("state", ["odd", "x" * 400])
async def test_a_state_that_was_not_given_is_refused(front: Front, state: str) -> None:
    message, headers = modern(ask("ask me"), capabilities={"elicitation": {}})
    message["params"] |= {"requestState": state, "inputResponses": {"input": {"action": "accept"}}}
    async with Wire(front.client, MCP).post(message, **headers) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == -32602
