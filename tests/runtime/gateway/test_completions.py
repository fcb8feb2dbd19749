"""`/v1` with the official Python client, the real gateway and a real host."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk

from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.protocols.client_calls import call_id
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.support.scripted_host import words
from tests.support.waiting import until

ABLE = AgentKey("demo", "able")
SLOW = AgentKey("demo", "slow")
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode()
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "Of a city", "parameters": {"type": "object"}},
}
Messages = list[Any]


def asks(text: str) -> Messages:
    return [{"role": "user", "content": text}]


@pytest.fixture
async def door(start_front: StartFront, start_host: StartHost) -> Front:
    """An open gateway with agents that can more and less."""
    _, url = await start_host(agents=("demo/support", "demo/able"))
    front = await start_front(smart_agent="demo/able")
    for agent in (SUPPORT, ABLE):
        front.routes.set(agent, [url])
    return front


@pytest.fixture
async def client(door: Front) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{door.url}/v1", api_key="none") as client:
        yield client


def text_of(chunks: Iterable[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def extra(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.model_extra["slipway"]
    return found


async def test_an_answer(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="demo/support", messages=asks("4 words"), temperature=0.2)
    assert answer.choices[0].message.content == "".join(words(4))
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "demo/support"
    assert answer.id == f"chatcmpl-{extra(answer)['run_id']}"
    assert extra(answer)["agent"] == "demo/support"


async def test_a_stream(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="demo/support", messages=asks("4 words"), stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert text_of(chunks) == "".join(words(4))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert extra(chunks[-2])["abstained"] is False


async def test_a_conversation_and_settings_reach_the_agent(client: AsyncOpenAI) -> None:
    conversation: Messages = [
        {"role": "system", "content": "Be brief."},
        *asks("One?"),
        {"role": "assistant", "content": "1"},
        *asks("0 words, history, settings"),
    ]
    answer = await client.chat.completions.create(model="demo/support", messages=conversation, temperature=0.5, seed=3)
    settings = json.dumps({"settings": {"temperature": 0.5, "seed": 3}, "task": None})
    history = json.dumps([["system", "Be brief."], ["user", "One?"], ["assistant", "1"]])
    assert answer.choices[0].message.content == settings + history


async def test_no_session_is_kept(client: AsyncOpenAI, door: Front) -> None:
    answer = await client.chat.completions.create(model="demo/support", messages=asks("1 words"))
    async with door.client.get(f"/agents/{SUPPORT}/runs") as response:
        (run,) = (await response.json())["runs"]
    assert (run["run_id"], run["session_id"]) == (extra(answer)["run_id"], None)


async def test_the_smart_agent_is_the_model_auto(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="auto", messages=asks("1 words"))
    assert (answer.model, extra(answer)["agent"]) == ("auto", "demo/able")
    assert [model.id async for model in client.models.list()] == ["auto", "demo/able", "demo/support"]
    assert (await client.models.retrieve("demo/support")).owned_by == "demo"


async def test_without_a_smart_agent_the_value_is_named(front: Front) -> None:
    async with AsyncOpenAI(base_url=f"{front.url}/v1", api_key="none") as client:
        with pytest.raises(openai.NotFoundError, match=r"gateway\.smartAgent") as caught:
            await client.chat.completions.create(model="auto", messages=asks("?"))
        assert [model.id async for model in client.models.list()] == ["demo/support"]
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_a_structured_answer(client: AsyncOpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    answer = await client.chat.completions.create(model="demo/able", messages=asks("?"), response_format=form)
    assert json.loads(answer.choices[0].message.content or "") == {"x": 1}
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 3)


async def test_a_picture(client: AsyncOpenAI) -> None:
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PNG}}]
    messages: Messages = [{"role": "user", "content": content}]
    answer = await client.chat.completions.create(model="demo/able", messages=messages)
    assert answer.choices[0].message.content == "1 pictures"
    with pytest.raises(openai.BadRequestError, match="does not take: image"):
        await client.chat.completions.create(model="demo/support", messages=messages)


async def test_chat_takes_pictures_too(door: Front) -> None:
    body = {"question": "What is this?", "images": [PNG, PNG]}
    async with door.client.post(f"/agents/{ABLE}/chat", json=body) as response:
        assert (response.status, (await response.json())["answer"]) == (200, "2 pictures")
    async with door.client.post(f"/agents/{SUPPORT}/chat", json=body) as response:
        assert (response.status, "does not take: image" in await response.text()) == (422, True)
    async with door.client.post(f"/agents/{ABLE}/chat", json={**body, "images": ["data:,x"]}) as response:
        assert (response.status, "no URL is fetched" in await response.text()) == (422, True)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "chunks"])
async def test_the_clients_tools_are_called_and_the_run_goes_on(client: AsyncOpenAI, stream: bool) -> None:
    messages = asks("Weather?")
    first = await complete(client, messages, stream=stream)
    assert (first["finish"], first["content"]) == ("tool_calls", "Let me see. ")
    (call,) = first["calls"]
    assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Oslo"})
    messages += [called(first), {"role": "tool", "tool_call_id": call["id"], "content": "Rain"}]
    second = await complete(client, messages, stream=stream)
    assert (second["finish"], second["content"]) == ("stop", "Rain")
    assert second["run"] == first["run"]
    again = await complete(client, messages, stream=stream)  # as a client repeats a request that it got no answer to
    assert (again["run"], again["content"]) == (first["run"], "Rain")


async def test_other_results_begin_a_run_from_the_messages(client: AsyncOpenAI) -> None:
    messages = asks("Weather?")
    first = await complete(client, messages)
    result = {"role": "tool", "tool_call_id": first["calls"][0]["id"], "content": "Rain"}
    await complete(client, [*messages, called(first), result])
    second = await complete(client, [*messages, called(first), {**result, "content": "Snow"}])
    assert (second["content"], second["run"] == first["run"]) == ("Snow", False)


@pytest.mark.parametrize("call", ["call_abc", call_id("0" * 32, 0)], ids=["of another server", "of no run"])
async def test_unknown_calls_begin_a_run_from_the_messages(client: AsyncOpenAI, call: str) -> None:
    made = {"calls": [{"id": call, "name": "weather", "arguments": "{}"}], "content": None}
    messages = [*asks("Weather?"), called(made), {"role": "tool", "tool_call_id": call, "content": "Rain"}]
    assert (await complete(client, messages))["content"] == "Rain"


async def complete(client: AsyncOpenAI, messages: Messages, *, stream: bool = False) -> dict[str, Any]:
    """An answer of the agent with the tool, whichever way it comes."""
    if not stream:
        answer = await client.chat.completions.create(model="demo/able", messages=messages, tools=[WEATHER])
        (choice,) = answer.choices
        calls = [{"id": call.id, **call.function.model_dump()} for call in choice.message.tool_calls or ()]  # type: ignore[union-attr]
        found = {"content": choice.message.content, "finish": choice.finish_reason, "run": extra(answer)["run_id"]}
        return {**found, "calls": calls}
    chunks = [
        chunk
        async for chunk in await client.chat.completions.create(
            model="demo/able", messages=messages, tools=[WEATHER], stream=True
        )
    ]
    deltas = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    calls = [{"id": call.id, **call.function.model_dump()} for call in deltas if call.function]
    last = chunks[-1].choices[0].finish_reason
    return {"content": text_of(chunks), "finish": last, "run": extra(chunks[-1])["run_id"], "calls": calls}


def called(answer: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in answer["calls"]
    ]
    return {"role": "assistant", "content": answer["content"], "tool_calls": calls}


async def test_an_approval_is_named_and_given_elsewhere(client: AsyncOpenAI, door: Front) -> None:
    answer = await client.chat.completions.create(model="demo/support", messages=asks("ask me, 2 words"))
    place = f"/agents/demo/support/runs/{extra(answer)['run_id']}/input/go"
    assert f"POST {place}" in (answer.choices[0].message.content or "")
    async with door.client.post(place, json={"approved": True}) as response:
        assert response.status == 200
    async with door.client.get(place.removesuffix("/input/go")) as response:
        assert (await response.json())["answer"] == "".join(words(2))


async def test_a_failure_is_an_error_that_is_not_repeated(client: AsyncOpenAI, door: Front) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(model="demo/support", messages=asks("fail"))
    assert caught.value.response.headers["x-should-retry"] == "false"
    async with door.client.get(f"/agents/{SUPPORT}/runs") as response:
        assert len((await response.json())["runs"]) == 1
    with pytest.raises(openai.APIError) as failed:
        async for _ in await client.chat.completions.create(model="demo/support", messages=asks("fail"), stream=True):
            pass
    assert failed.value.code == "InternalError"


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"n": 2}, "n", "One answer"),
        ({"extra_body": {"colour": "red"}}, "colour", "no such parameter"),
        ({"temperature": 9}, "temperature", "less than or equal"),
    ],
)
async def test_a_parameter_is_refused_by_name(
    client: AsyncOpenAI, fields: dict[str, Any], param: str, words: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=words) as caught:
        await client.chat.completions.create(model="demo/support", messages=asks("?"), **fields)
    assert caught.value.param == param


async def test_tools_are_refused_where_the_agent_cannot_call_them(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="does not take: client_tools"):
        await client.chat.completions.create(model="demo/support", messages=asks("?"), tools=[WEATHER])


@pytest.mark.parametrize("model", ["demo/nobody", "gpt-5", "a/b/c"])
async def test_a_model_that_is_not_there(client: AsyncOpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError, match="GET /v1/models") as caught:
        await client.chat.completions.create(model=model, messages=asks("?"))
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve(model)


async def test_what_there_is_not_says_what_to_use(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="POST /v1/chat/completions"):
        await client.responses.create(model="demo/support", input="?")


async def test_a_key_is_needed(start_front: StartFront, tmp_path: Path) -> None:
    _, entry = new_key("alice")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [entry.model_dump()]}))
    front = await start_front(auth_mode="apikeys", api_keys_file=tmp_path / "keys.json")
    async with AsyncOpenAI(base_url=f"{front.url}/v1", api_key="wrong") as client:
        with pytest.raises(openai.AuthenticationError, match="slipway keys new") as caught:
            await client.chat.completions.create(model="demo/support", messages=asks("?"))
        assert caught.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()


LONG = "a long tale, " * 30_000


async def test_a_history_may_be_long_and_a_question_alone_may_not(client: AsyncOpenAI, door: Front) -> None:
    long: Messages = [*asks(LONG), {"role": "assistant", "content": "I see."}, *asks("1 words")]
    answer = await client.chat.completions.create(model="demo/support", messages=long)
    assert answer.choices[0].message.content == words(1)[0]
    with pytest.raises(openai.APIStatusError, match="at most 1024 KiB") as caught:
        await client.chat.completions.create(model="demo/support", messages=long[:2] * 3 + long[2:])
    assert caught.value.status_code == 413
    assert door.gateway.long_bodies.left == 64 * 1024 * 1024
    async with door.client.post(f"/agents/{SUPPORT}/chat", json={"question": LONG}) as response:
        assert (response.status, (await response.json())["reason"]) == (413, "QuestionTooLarge")


async def test_long_bodies_are_refused_while_there_is_no_room(client: AsyncOpenAI, door: Front) -> None:
    door.gateway.long_bodies.left = 1000
    long: Messages = [*asks(LONG), {"role": "assistant", "content": "I see."}, *asks("1 words")]
    with pytest.raises(openai.RateLimitError, match="long questions take all the memory"):
        await client.with_options(max_retries=0).chat.completions.create(model="demo/support", messages=long)
    assert door.gateway.long_bodies.left == 1000


@pytest.fixture
async def slow(start_front: StartFront, start_host: StartHost) -> tuple[Host, Front]:
    """A gateway whose agent takes its time."""
    host, url = await start_host(agents=("demo/slow",), delta_delay=0.3)
    front = await start_front()
    front.routes.set(SLOW, [url])
    return host, front


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "chunks"])
async def test_a_client_that_leaves_cancels_its_run(slow: tuple[Host, Front], stream: bool) -> None:
    host, front = slow
    body = {"model": "demo/slow", "messages": asks("200 words"), "stream": stream}
    async with aiohttp.ClientSession(front.url) as session:
        request = asyncio.create_task(session.post("/v1/chat/completions", json=body))
        await until(lambda: host.runs.in_flight == 1, "the run to begin")
        if stream:
            response = await request
            await response.content.readany()
            response.close()
        else:
            request.cancel()
    await until(lambda: host.runs.in_flight == 0, "the run to end")
    async with front.client.get(f"/agents/{SLOW}/runs") as response:
        assert [run["state"] for run in (await response.json())["runs"]] == ["cancelled"]


async def test_text_can_be_held_until_it_stays(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="demo/support", messages=asks("4 words"), stream=True, extra_headers={"X-Slipway-Hold-Text": "true"}
    )
    pieces = [choice.delta.content async for chunk in stream for choice in chunk.choices if choice.delta.content]
    assert pieces == ["".join(words(4))]
