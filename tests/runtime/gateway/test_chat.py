"""Asking through the gateway, over real hosts: answers, streams, conversations, and clients that disconnect."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
from yarl import URL

from slipway_runtime.events import Started
from tests.runtime.gateway.conftest import ANSWER, CHAT, QUESTION, SUPPORT, Front, StartFront, StartHost
from tests.support.chat import STREAM, events, transcribe
from tests.support.scripted_host import words
from tests.support.waiting import until


async def test_an_answer_as_json(front: Front) -> None:
    async with front.client.post(CHAT, json=QUESTION) as response:
        assert response.status == 200
        answer = await response.json()
    assert answer["answer"] == ANSWER
    assert answer["agent_used"] == "demo/support"
    assert answer["abstained"] is False
    assert answer["session_id"]
    assert answer["run_id"]


async def test_an_answer_as_a_stream(front: Front) -> None:
    async with front.client.post(CHAT, json=QUESTION, headers=STREAM) as response:
        transcript = await transcribe(response)
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["Cache-Control"].startswith("no-")
    transcript.assert_whole(ANSWER)
    assert transcript.restarts == 0


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("application/json, text/event-stream", True),
        ("Text/Event-Stream;q=0.1", True),
        ("text/event-stream;q=0", False),
        ("application/json, text/event-stream; q=0.000", False),
        ("text/event-streams", False),
        ("*/*", False),
    ],
)
async def test_a_stream_is_for_those_that_accept_one(front: Front, accept: str, streams: bool) -> None:
    async with front.client.post(CHAT, json=QUESTION, headers={"accept": accept}) as response:
        assert (response.content_type == "text/event-stream") == streams


async def test_a_failed_run_is_a_problem_or_an_event(front: Front) -> None:
    async with front.client.post(CHAT, json={"question": "fail"}) as response:
        problem = await response.json(content_type="application/problem+json")
        assert (response.status, problem["reason"]) == (500, "InternalError")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    async with front.client.post(CHAT, json={"question": "fail"}, headers=STREAM) as response:
        assert (response.status, (await transcribe(response)).last.type) == (200, "failed")


async def test_connections_to_pods_are_used_again(
    stack: AsyncExitStack, start_front: StartFront, start_host: StartHost
) -> None:
    _, url = await start_host()
    opened: list[str] = []
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    connector = front.gateway.upstreams._session.connector
    assert connector
    create = connector._create_connection

    async def counted(*arguments: Any, **more: Any) -> Any:
        opened.append(url)
        return await create(*arguments, **more)

    connector._create_connection = counted  # type: ignore[method-assign]
    for headers in ({}, STREAM, {}, STREAM):
        async with front.client.post(CHAT, json=QUESTION, headers=headers) as response:
            await response.read()
        await until(lambda: front.gateway.bound.taken == 0, "the request has ended")
    assert len(opened) == 1


async def test_a_stream_is_passed_on_as_it_comes(start_front: StartFront, start_host: StartHost) -> None:
    _, url = await start_host(delta_delay=0.05)
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json={"question": "say 100 words"}, headers=STREAM) as response:
        stream = events(response)
        seen = [await anext(stream) for _ in range(4)]
        run = seen[-1][0].run
        endpoint = front.routes.pick(SUPPORT)
        assert endpoint
        assert endpoint.in_flight == 1
        started = seen[0][1]
        assert isinstance(started, Started)
        async with front.client.get(f"/agents/{SUPPORT}/sessions/{started.session_id}") as session:
            assert (await session.json())["turns"][0]["run_id"] == run


async def test_a_conversation_goes_on(front: Front) -> None:
    async with front.client.post(CHAT, json=QUESTION) as response:
        session = (await response.json())["session_id"]
    async with front.client.post(CHAT, json={**QUESTION, "session_id": session}) as response:
        assert (await response.json())["session_id"] == session
    path = f"/agents/{SUPPORT}/sessions/{session}"
    async with front.client.get(path) as response:
        assert [turn["answer"] for turn in (await response.json())["turns"]] == [ANSWER, ANSWER]
    async with front.client.delete(path) as response:
        assert response.status == 204
    async with front.client.get(path) as response:
        assert (response.status, (await response.json())["reason"]) == (404, "SessionNotFound")


async def test_a_run_is_read_again_from_anywhere_in_it(front: Front) -> None:
    async with front.client.post(CHAT, json=QUESTION, headers=STREAM) as response:
        whole = await transcribe(response)
    run = whole.ids[0].run
    for position, number in enumerate(whole.ids[:-1]):
        headers = {**STREAM, "Last-Event-ID": str(number)}
        async with front.client.get(f"/agents/{SUPPORT}/runs/{run}", headers=headers) as response:
            assert (await transcribe(response)).events == whole.events[position + 1 :]
    async with front.client.get(f"/agents/{SUPPORT}/runs/{run}") as response:
        assert (await response.json())["answer"] == ANSWER


async def test_a_client_that_goes_leaves_a_run_that_is_finished(start_front: StartFront, start_host: StartHost) -> None:
    host, url = await start_host(delta_delay=0.05)
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json={"question": "say 30 words"}, headers=STREAM) as response:
        number, _ = await anext(events(response))
    endpoint = front.routes.pick(SUPPORT)
    assert endpoint
    await until(lambda: endpoint.in_flight == 0, "the gateway let go of the pod")
    await until(lambda: front.gateway.bound.taken == 0, "the slot is free again")
    assert host.runs.in_flight == 1
    async with front.client.get(f"/agents/{SUPPORT}/runs/{number.run}") as response:
        assert (await response.json())["answer"] == "".join(words(30))


async def test_a_client_that_does_not_wait_for_its_answer_frees_the_gateway(
    start_front: StartFront, start_host: StartHost
) -> None:
    host, url = await start_host(delta_delay=0.05)
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    asking = asyncio.create_task(front.client.post(CHAT, json={"question": "say 30 words"}).__aenter__())
    await until(lambda: host.runs.in_flight == 1, "the question is worked on")
    asking.cancel()
    await until(lambda: front.gateway.bound.taken == 0, "the slot is free again")
    assert host.runs.in_flight == 1
    await until(lambda: host.runs.in_flight == 0, "the run was finished all the same")


async def test_a_context_goes_to_the_agent_as_data(front: Front) -> None:
    context = {"ticket": {"id": 7, "tags": ["a\u0000", "ü"]}, "question": "not this one"}
    for given, said in (({"context": context}, context), ({"context": {}}, {}), ({}, None), ({"context": None}, None)):
        async with front.client.post(CHAT, json={"question": "context of 1 words", **given}) as response:
            answer = await response.json()
        assert json.loads(answer["answer"].removeprefix("word0 ")) == said
    for odd in ("text", 7, [context]):
        async with front.client.post(CHAT, json={"question": "context", "context": odd}) as response:
            problem = await response.json(content_type=None)
        assert (response.status, problem["reason"]) == (422, "InvalidRequest")
        assert problem["detail"].startswith("context: ")


async def test_bodies_in_other_encodings_reach_the_host_as_they_are(front: Front) -> None:
    question = json.dumps({"question": "echo Gebühr für Gäste"}, ensure_ascii=False)
    for encoding in ("utf-16", "utf-8-sig", "utf-32-be"):
        async with front.client.post(CHAT, data=question.encode(encoding)) as response:
            assert (await response.json())["answer"].endswith("echo Gebühr für Gäste")
    async with front.client.post(CHAT, data=rb'{"question": "echo tides \ud83d"}') as response:
        assert (await response.json())["answer"].endswith("echo tides \ufffd")
    refused = {
        "Latin-1": (question.encode("latin-1"), {"Content-Type": "application/json"}),
        "iso-8859-1": (question.encode(), {"Content-Type": "application/json; charset=iso-8859-1"}),
        "deflate": (b"anything", {"Content-Encoding": "deflate"}),
    }
    for named, (body, headers) in refused.items():
        async with front.client.post(CHAT, data=body, headers=headers) as response:
            problem = await response.json(content_type="application/problem+json")
        assert (response.status, problem["reason"]) == (415, "UnsupportedEncoding")
        assert named in problem["detail"]


async def test_a_run_that_is_not_there(front: Front) -> None:
    for run in ("0" * 32, "nonsense", "..", "%2e%2e", "a%2Fb"):
        async with front.client.get(URL(f"{front.url}/agents/{SUPPORT}/runs/{run}", encoded=True)) as response:
            assert response.status == 404, run
            assert (await response.json(content_type=None))["reason"] in ("RunNotFound", "NotFound"), run
