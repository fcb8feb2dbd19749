"""AG-UI's path: threads, runs that are attached to again, clients that leave, and strangers."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from slipway_runtime.gateway.auth import new_key
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.protocols.client_calls import call_id
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.runtime.gateway.test_completions import ABLE, SLOW
from tests.support.ag_ui import AgUiEvents, asks, events, user
from tests.support.scripted_host import words
from tests.support.waiting import until

TOOLS = [{"name": "weather", "description": "Of a city", "parameters": {"type": "object"}}]


def user_with(**part: Any) -> dict[str, Any]:
    return {"id": "m1", "role": "user", "content": [part]}


async def run(
    front: Front, body: dict[str, Any], *, agent: object = SUPPORT, headers: dict[str, str] | None = None
) -> AgUiEvents:
    async with front.client.post(f"/agents/{agent}/ag-ui", json=body, headers=headers) as response:
        return [event async for event in events(response)]


async def refusal(
    front: Front, body: object, *, agent: object = SUPPORT, headers: dict[str, str] | None = None
) -> tuple[int, str, str]:
    async with front.client.post(f"/agents/{agent}/ag-ui", json=body, headers=headers) as response:
        problem = await response.json()
    return response.status, problem["reason"], problem["detail"]


def said(seen: AgUiEvents) -> str:
    return "".join(event["delta"] for event in seen if event["type"] == "TEXT_MESSAGE_CONTENT")


def types(seen: AgUiEvents) -> list[str]:
    return [event["type"] for event in seen]


@pytest.fixture
async def door(start_front: StartFront, start_host: StartHost) -> Front:
    """An open gateway with agents that can more and less."""
    _, url = await start_host(agents=("demo/support", "demo/able"))
    front = await start_front()
    for agent in (SUPPORT, ABLE):
        front.routes.set(agent, [url])
    return front


async def test_an_answer(front: Front) -> None:
    seen = await run(front, asks(user("2 words")))
    assert types(seen) == [
        *("RUN_STARTED", "STEP_STARTED", "CUSTOM", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"),
        *("TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "STEP_FINISHED", "RUN_FINISHED"),
    ]
    assert seen[0] == {"type": "RUN_STARTED", "threadId": "t1", "runId": "r1", "protocolVersion": "1.0"}
    last = seen[-1]
    assert (last["threadId"], last["runId"], last["outcome"]) == ("t1", "r1", {"type": "success"})
    assert last["result"]["answer"] == said(seen) == "".join(words(2))
    async with front.client.get(f"/agents/{SUPPORT}/runs/{last['result']['run_id']}") as response:
        assert (await response.json())["answer"] == said(seen), "the run can be read as any other"


async def test_a_thread_is_a_session(front: Front) -> None:
    first = (await run(front, asks(user("1 words"))))[-1]["result"]
    answered = {"id": "m2", "role": "assistant", "content": "word0 "}
    second = (await run(front, asks(user("1 words"), answered, user("2 words", "m3"), run="r2")))[-1]["result"]
    alone = (await run(front, asks(user("3 words"), run="r3")))[-1]["result"]
    other = (await run(front, asks(user("1 words"), thread="t2")))[-1]["result"]
    assert first["session_id"] == second["session_id"] == alone["session_id"] != other["session_id"]
    async with front.client.get(f"/agents/{SUPPORT}/sessions/{first['session_id']}") as response:
        turns = (await response.json())["turns"]
    assert [turn["question"] for turn in turns] == ["1 words", "2 words", "3 words"]


async def test_a_thread_whose_session_is_gone_goes_on_from_its_messages(front: Front) -> None:
    session = (await run(front, asks(user("1 words"))))[-1]["result"]["session_id"]
    async with front.client.delete(f"/agents/{SUPPORT}/sessions/{session}") as response:
        assert response.status == 204
    answered = {"id": "m2", "role": "assistant", "content": "word0 "}
    seen = await run(front, asks(user("1 words"), answered, user("0 words, history", "m3"), run="r2"))
    assert orjson.loads(said(seen)) == [["user", "1 words"], ["assistant", "word0 "]]
    assert "session_id" not in seen[-1]["result"]


async def test_instructions_of_the_client_come_with_all_its_messages(front: Front) -> None:
    system = [
        {"id": "s1", "role": "system", "content": "Be brief."},
        {"id": "s2", "role": "developer", "content": "Do."},
    ]
    seen = await run(front, asks(*system, user("0 words, history")))
    assert orjson.loads(said(seen)) == [["system", "Be brief."], ["system", "Do."]]


async def test_threads_and_runs_of_two_callers_never_meet(
    start_front: StartFront, start_host: StartHost, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    (alice, alices), (bob, bobs) = new_key("alice"), new_key("bob")
    path.write_text(json.dumps({"keys": [alices.model_dump(), bobs.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [url])
    hers, his = {"X-API-Key": alice}, {"X-API-Key": bob}
    one = (await run(front, asks(user("1 words")), headers=hers))[-1]["result"]
    other = (await run(front, asks(user("2 words")), headers=his))[-1]["result"]
    assert one["session_id"] != other["session_id"]
    assert one["run_id"] != other["run_id"]
    assert (await refusal(front, asks(user("1 words"))))[:2] == (401, "Unauthenticated")
    waiting = (await run(front, asks(user("2 words, ask me"), run="r2"), headers=hers))[-1]
    (interrupt,) = waiting["outcome"]["interrupts"]
    resume = [{"interruptId": interrupt["id"], "status": "resolved", "payload": True}]
    stolen = await refusal(front, asks(user("1 words"), run="r3", resume=resume), headers=his)
    assert stolen[:2] == (404, "InputNotFound"), "to him there is no such interrupt"
    given = await run(front, asks(user("2 words, ask me"), run="r3", resume=resume), headers=hers)
    assert said(given) == "".join(words(2)), "hers still waited"


async def test_the_same_run_is_attached_to_again(front: Front) -> None:
    first = await run(front, asks(user("3 words")))
    again = await run(front, asks(user("3 words")))
    assert again == first
    (start,) = [event for event in first if event["type"] == "TEXT_MESSAGE_START"]
    half = {"id": start["messageId"], "role": "assistant", "content": "word0 "}
    seen = await run(front, asks(user("3 words"), half))
    assert seen[1] == {"type": "MESSAGES_SNAPSHOT", "messages": [user("3 words")]}, "what it had is taken back"
    assert said(seen) == "".join(words(3))
    assert half["id"] not in {event.get("messageId") for event in seen}
    async with front.client.get(f"/agents/{SUPPORT}/runs") as response:
        assert len((await response.json())["runs"]) == 1
    status, reason, detail = await refusal(front, asks(user("4 words")))
    assert (status, reason) == (422, "InvalidRequest"), "the id names another question"
    assert detail.startswith("runId: ")


async def test_results_for_a_run_that_is_not_known_begin_one_from_the_messages(door: Front) -> None:
    call = {"id": call_id("0" * 32, 0), "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        user("Weather?"),
        {"id": "m2", "role": "assistant", "toolCalls": [call]},
        {"id": "m3", "role": "tool", "toolCallId": call["id"], "content": "Snow", "error": "Half of it"},
    ]
    assert said(await run(door, asks(*messages, tools=TOOLS), agent=ABLE)) == "Snow\nError: Half of it"


async def test_answers_may_be_repeated_and_come_too_late(front: Front) -> None:
    waiting = (await run(front, asks(user("2 words, ask me"))))[-1]
    (interrupt,) = waiting["outcome"]["interrupts"]
    resume = [{"interruptId": interrupt["id"], "status": "resolved", "payload": {"approved": True}}]
    yes = await run(front, asks(user("2 words, ask me"), run="r2", resume=resume))
    again = await run(front, asks(user("2 words, ask me"), run="r2", resume=resume))
    late = await run(front, asks(user("2 words, ask me"), run="r3", resume=[{**resume[0], "payload": False}]))
    assert said(yes) == said(again) == said(late) == "".join(words(2)), "the first answer counts"


@pytest.mark.parametrize("name", ["other", f"{'0' * 32}.go"])
async def test_a_resume_of_what_is_not_known_begins_no_run(front: Front, name: str) -> None:
    resume = [{"interruptId": name, "status": "cancelled"}]
    status, reason, detail = await refusal(front, asks(user("1 words"), resume=resume))
    assert (status, reason) == (404, "InputNotFound")
    assert name in detail
    async with front.client.get(f"/agents/{SUPPORT}/runs") as response:
        assert (await response.json())["runs"] == []


async def test_a_resume_of_another_input_of_a_known_run_begins_no_run(front: Front) -> None:
    waiting = (await run(front, asks(user("2 words, ask me"))))[-1]
    (interrupt,) = waiting["outcome"]["interrupts"]
    name = interrupt["id"].partition(".")[0] + ".other"
    resume = [{"interruptId": name, "status": "resolved", "payload": True}]
    status, reason, detail = await refusal(front, asks(user("2 words, ask me"), run="r2", resume=resume))
    assert (status, reason) == (404, "InputNotFound")
    assert name in detail


async def test_a_key_that_is_there_twice_and_what_is_no_json_are_refused_in_words_of_the_protocol(front: Front) -> None:
    body = json.dumps(asks(user("1 words")))
    for sent, wanted, named in (
        (body.replace("{", '{"threadId": "t0", ', 1), (422, "InvalidRequest"), "twice"),
        (body.replace('"role"', '"id": "m0", "role"'), (422, "InvalidRequest"), "twice"),
        (body[:-1], (400, "InvalidJSON"), "RunAgentInput"),
    ):
        async with front.client.post(f"/agents/{SUPPORT}/ag-ui", data=sent) as response:
            problem = await response.json()
        assert (response.status, problem["reason"]) == wanted
        assert named in problem["detail"]


@pytest.fixture
async def slow(start_front: StartFront, start_host: StartHost) -> tuple[Host, Front]:
    """A gateway whose agent takes its time."""
    host, url = await start_host(agents=("demo/slow",), delta_delay=0.3)
    front = await start_front()
    front.routes.set(SLOW, [url])
    return host, front


async def test_a_client_that_leaves_cancels_its_run(slow: tuple[Host, Front]) -> None:
    host, front = slow
    body = asks(user("200 words"))
    async with (
        aiohttp.ClientSession(front.url) as session,
        session.post(f"/agents/{SLOW}/ag-ui", json=body) as response,
    ):
        await anext(events(response))
        response.close()
    await until(lambda: host.runs.in_flight == 0, "the run to end")
    ended = (await run(front, body, agent=SLOW))[-1]
    assert (ended["type"], ended["outcome"]) == ("RUN_FINISHED", {"type": "cancelled"})
    del body["protocolVersion"]
    older = (await run(front, body, agent=SLOW))[-1]
    assert (older["type"], older["code"]) == ("RUN_ERROR", "Cancelled"), "clients before 1.0 know no such outcome"


async def test_a_second_connection_shows_the_same_run(slow: tuple[Host, Front]) -> None:
    _, front = slow
    one, two = await asyncio.gather(*(run(front, asks(user("3 words")), agent=SLOW) for _ in range(2)))
    assert one == two


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"threadId": ""}, "threadId"),
        ({"runId": "x" * 300}, "runId"),
        ({"messages": []}, "messages: there is no message of the user"),
        ({"messages": [user("a\0b")]}, "messages.0.content"),
        ({"messages": [user_with(type="audio", source={"type": "url", "value": "x"})]}, "type audio"),
        ({"messages": [user_with(type="image", source={"type": "url", "value": "http://10.0.0.1/"})]}, "no URL is"),
        ({"messages": [{"id": "1", "role": "prophet", "content": "?"}]}, "messages.0"),
        ({"tools": [{"name": "a b", "description": ""}]}, "tools.0.name"),
        ({"tools": [TOOLS[0], TOOLS[0]]}, "two tools have one name"),
        ({"tools": [{"name": "a", "description": "", "parameters": 7}]}, "tools.0.parameters"),
        ({"tools": TOOLS}, "does not take: client_tools"),
        ({"resume": [{"interruptId": f"{'0' * 32}.go", "status": "resolved", "payload": "yes"}]}, "payload"),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_by_name(front: Front, change: dict[str, Any], named: str) -> None:
    status, reason, detail = await refusal(front, {**asks(user("?")), **change})
    assert (status, reason) == (422, "InvalidRequest")
    assert named in detail


@pytest.mark.parametrize("body", [[], "run", 7])
async def test_what_is_no_object_is_refused(front: Front, body: object) -> None:
    assert (await refusal(front, body))[:2] == (422, "InvalidRequest")


async def test_an_agent_that_is_not_there(front: Front) -> None:
    assert (await refusal(front, asks(user("?")), agent="demo/nobody"))[:2] == (404, "AgentNotFound")
