"""What a user of Slipway may rely on, whichever driver runs it."""

import asyncio
import json
import uuid
from typing import Any

import aiohttp
import pytest

from slipway_demo.documents import QUESTIONS
from slipway_runtime.events import Citation, Delta, Done, Retrieved, Started, Usage
from tests.blackbox.conftest import AGENT, Target
from tests.support.chat import STREAM, Transcript, events, transcribe

CHAT = f"/agents/{AGENT}/chat"
NO_SESSION = "0d5c1b2e-6f2a-4b7e-9a35-1f6f0c3d7e88"  # not drawn: parallel workers must see the same tests
QUESTION = "Which embedding model is used?"
SAMPLE = 8
"""Questions of a kind that are asked; all of them are the evaluation's matter."""


async def ask(client: aiohttp.ClientSession, question: str = QUESTION, **body: str) -> dict[str, Any]:
    async with client.post(CHAT, json={"question": question, **body}) as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


async def stream(client: aiohttp.ClientSession, question: str = QUESTION) -> Transcript:
    async with client.post(CHAT, json={"question": question}, headers=STREAM) as response:
        return await transcribe(response)


async def test_an_answer_has_its_sources(client: aiohttp.ClientSession) -> None:
    answer = await ask(client)
    assert answer.keys() == {
        "answer", "abstained", "agent_used", "sources", "grounded", "model", "session_id", "run_id", "usage",
    }  # fmt: skip
    assert answer["agent_used"] == AGENT
    assert answer["abstained"] is False
    assert "MiniLM" in answer["answer"]
    assert answer["sources"]
    assert answer["usage"]["retrieved_chunks"] > 0


async def test_citations_are_word_for_word(
    client: aiohttp.ClientSession, documents: dict[str, str], questions: dict[str, list[str]]
) -> None:
    answers = await asyncio.gather(*(ask(client, question) for question in questions["answerable"][:SAMPLE]))
    sources = [Citation.model_validate(source) for answer in answers for source in answer["sources"]]
    assert len(sources) >= SAMPLE / 2
    for source in sources:
        assert documents[source.document][source.start : source.end] == source.quote
        assert (source.index, source.source) == ("handbook", "docs")
        for heading in filter(None, source.heading.split(" > ")):
            assert heading in documents[source.document].replace("`", "") or heading in documents[source.document]


async def test_the_questions_that_the_demo_proposes_are_answered(client: aiohttp.ClientSession) -> None:
    killed, pause = [(await ask(client, question))["answer"] for question in QUESTIONS]
    assert "another pod" in killed
    assert "slipway.dev/paused" in pause


async def test_what_the_documents_do_not_say_is_not_answered(
    client: aiohttp.ClientSession, questions: dict[str, list[str]]
) -> None:
    answers = await asyncio.gather(*(ask(client, question) for question in questions["unanswerable"][:SAMPLE]))
    abstentions = [answer for answer in answers if answer["abstained"]]
    assert len(abstentions) >= 0.8 * len(answers)
    for answer in abstentions:
        assert answer["sources"] == []
        assert answer["answer"]


async def test_a_stream_tells_the_same_as_the_json_answer(client: aiohttp.ClientSession) -> None:
    answer, transcript = await asyncio.gather(ask(client), stream(client))
    transcript.assert_whole(answer["answer"])
    done = transcript.last
    assert isinstance(done, Done)
    assert [source.model_dump() for source in done.sources] == answer["sources"]
    kinds = [type(event) for _, event in transcript.events]
    deltas = kinds.count(Delta)
    assert deltas
    assert kinds == [Started, Retrieved, Usage, *[Delta] * deltas, Done]
    assert [number.seq for number in transcript.ids] == list(range(1, len(kinds) + 1))
    assert {(number.run, number.attempt) for number in transcript.ids} == {(transcript.ids[0].run, 1)}


async def test_an_abstention_can_be_streamed(client: aiohttp.ClientSession, questions: dict[str, list[str]]) -> None:
    transcripts = await asyncio.gather(*(stream(client, question) for question in questions["unanswerable"][:2]))
    for transcript in transcripts:
        assert isinstance(transcript.last, Done)
        transcript.assert_whole(transcript.last.answer)


async def test_a_conversation_is_kept_until_it_is_deleted(client: aiohttp.ClientSession) -> None:
    first = await ask(client)
    second = await ask(client, "What is a run?", session_id=first["session_id"])
    assert second["session_id"] == first["session_id"]
    path = f"/agents/{AGENT}/sessions/{first['session_id']}"
    async with client.get(path) as response:
        session = await response.json()
    assert [turn["question"] for turn in session["turns"]] == [QUESTION, "What is a run?"]
    assert [turn["answer"] for turn in session["turns"]] == [first["answer"], second["answer"]]
    async with client.delete(path) as response:
        assert response.status == 204
    again = {"question": QUESTION, "session_id": session["session_id"]}
    for request in (client.get(path), client.post(CHAT, json=again)):
        async with request as response:
            assert (response.status, (await response.json(content_type=None))["reason"]) == (404, "SessionNotFound")


async def test_a_stream_that_was_left_is_picked_up_where_it_was(client: aiohttp.ClientSession) -> None:
    seen = Transcript()
    async with client.post(CHAT, json={"question": QUESTION}, headers=STREAM) as response:
        async for each in events(response):
            seen.events.append(each)
            if isinstance(each[1], Delta):
                break
    last = seen.ids[-1]
    async with client.get(
        f"/agents/{AGENT}/runs/{last.run}", headers={**STREAM, "Last-Event-ID": str(last)}
    ) as response:
        rest = await transcribe(response)
    whole = Transcript(seen.events + rest.events)
    assert isinstance(rest.last, Done)
    whole.assert_whole(rest.last.answer)
    assert [number.seq for number in whole.ids] == list(range(1, len(whole.ids) + 1))


async def test_a_stream_that_was_read_to_its_end_is_over(client: aiohttp.ClientSession) -> None:
    async with client.post(CHAT, json={"question": QUESTION}, headers=STREAM) as response:
        last = (await transcribe(response)).ids[-1]
    headers = {**STREAM, "Last-Event-ID": str(last)}
    async with client.get(f"/agents/{AGENT}/runs/{last.run}", headers=headers) as response:
        assert (response.status, await response.read()) == (204, b"")


async def test_a_run_can_be_waited_for(client: aiohttp.ClientSession) -> None:
    async with client.post(CHAT, json={"question": QUESTION}, headers=STREAM) as response:
        number, _ = await anext(events(response))
    async with client.get(f"/agents/{AGENT}/runs/{number.run}") as response:
        answer = await response.json()
    assert answer["run_id"] == number.run
    assert answer["answer"] == (await ask(client))["answer"]


async def test_the_agent_is_listed_as_ready(client: aiohttp.ClientSession) -> None:
    async with client.get("/agents") as response:
        (agent,) = [each for each in (await response.json())["agents"] if each["name"] == "handbook"]
    assert agent.pop("revision")
    assert agent == {
        "namespace": "demo",
        "name": "handbook",
        "ready": True,
        "architecture": "langgraph",
        "health": "Ready",
        "description": "",
        "capabilities": ["complex_workflow", "state_management"],
        "knowledge": ["handbook"],
        "tools": [],
    }


REFUSED = [
    ("/agents/demo/nobody/chat", b'{"question": "hi"}', 404, "AgentNotFound"),
    ("/agents/elsewhere/handbook/chat", b'{"question": "hi"}', 404, "AgentNotFound"),
    (CHAT, b"{not json", 400, "InvalidJSON"),
    (CHAT, b"", 400, "InvalidJSON"),
    (CHAT, b"{}", 422, "InvalidRequest"),
    (CHAT, b'{"question": ""}', 422, "InvalidRequest"),
    (CHAT, b'{"question": "hi", "temperature": 1}', 422, "InvalidRequest"),
    (CHAT, json.dumps({"question": "x" * 32_769}).encode(), 422, "InvalidRequest"),
    (CHAT, json.dumps({"question": "x" * 1_000_000}).encode(), 413, "QuestionTooLarge"),
    (CHAT, json.dumps({"question": "hi", "session_id": NO_SESSION}).encode(), 404, "SessionNotFound"),
    ("/nowhere", b"", 404, "NotFound"),
    ("/livez", b"", 405, "MethodNotAllowed"),
]


@pytest.mark.parametrize(("path", "body", "status", "reason"), REFUSED)
async def test_refused(client: aiohttp.ClientSession, path: str, body: bytes, status: int, reason: str) -> None:
    async with client.post(path, data=body, headers={"Content-Type": "application/json"}) as response:
        problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["status"], problem["reason"]) == (status, status, reason)
    assert problem["detail"]


async def test_a_run_that_is_not_there(client: aiohttp.ClientSession) -> None:
    async with client.get(f"/agents/{AGENT}/runs/{uuid.uuid4().hex}") as response:
        assert (response.status, (await response.json(content_type=None))["reason"]) == (404, "RunNotFound")


async def test_who_has_no_key_is_let_in_only_where_the_gateway_is_open(target: Target) -> None:
    async with aiohttp.ClientSession(target.url) as nobody:
        for request in (nobody.get("/agents"), nobody.post(CHAT, json={"question": QUESTION})):
            async with request as response:
                assert response.status == (401 if target.key else 200)


async def test_questions_at_once_are_answered_or_refused(client: aiohttp.ClientSession) -> None:
    async def one() -> int:
        async with client.post(CHAT, json={"question": QUESTION}) as response:
            if response.status != 200:
                assert (await response.json(content_type=None))["reason"] == "Overloaded"
                assert int(response.headers["Retry-After"]) > 0
            return response.status

    codes = set(await asyncio.gather(*(one() for _ in range(60))))
    assert 200 in codes
    assert codes <= {200, 429}
    assert (await ask(client))["answer"]


async def test_the_probes_are_for_everybody_and_the_metrics_are_not(client: aiohttp.ClientSession) -> None:
    for path in ("/livez", "/readyz"):
        async with client.get(path) as response:
            assert response.status == 200
    async with client.get("/metrics") as response:
        assert response.status == 404
