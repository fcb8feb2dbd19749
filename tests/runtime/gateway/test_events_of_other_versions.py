"""A gateway between clients of today and pods of a version before, or of a newer one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI

from tests.runtime.gateway.conftest import CHAT, QUESTION, SUPPORT, Front, StartFront
from tests.support.chat import STREAM
from tests.support.golden_events import FORMER, NEWER, by_each, pod, with_run
from tests.support.serving import served

WORDS = "word0 word1 word2 "
STREAMS = {**FORMER, "newer": NEWER}


@pytest.fixture
async def front(start_front: StartFront, request: pytest.FixtureRequest) -> AsyncIterator[Front]:
    front = await start_front()
    async with served(pod(STREAMS[request.param])) as url:
        front.routes.set(SUPPORT, [url])
        yield front


def of(*names: str) -> pytest.MarkDecorator:
    """The pod's stream."""
    return pytest.mark.parametrize("front", names, indirect=True)


async def answer(front: Front) -> tuple[int, dict[str, Any]]:
    async with front.client.post(CHAT, json=QUESTION) as response:
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize(("front", "name"), [(name, name) for name in STREAMS], indirect=["front"])
async def test_a_stream_goes_on_as_it_came(front: Front, name: str) -> None:
    async with front.client.post(CHAT, json=QUESTION, headers=STREAM) as response:
        got = await response.read()
    run = got[4:36].decode()
    assert got == with_run(STREAMS[name], run)


@of(*by_each("answered", "asked", "restarted"))
async def test_a_former_answer_is_made_whole(front: Front) -> None:
    status, body = await answer(front)
    assert (status, body["answer"], body["abstained"]) == (200, WORDS, False)
    assert [source["quote"] for source in body["sources"]] == ["word0 wo"]
    assert body["usage"].items() >= {"retrieved_chunks": 1, "embedded_texts": 1}.items()
    assert body["agent_used"] == "demo/support"
    assert body["session_id"]


@of(*by_each("decided"))
async def test_a_former_decision_is_told_and_a_draft_that_was_taken_back_is_not(front: Front) -> None:
    status, body = await answer(front)
    assert (status, body["answer"], body["agent_used"]) == (200, WORDS, "demo/keeper")
    assert body["orchestration"]["reason"] == "It knows the animals."


@of(*by_each("abstained"))
async def test_a_former_abstention_is_one(front: Front) -> None:
    status, body = await answer(front)
    assert (status, body["answer"], body["abstained"], body["sources"]) == (200, "I do not know.", True, [])


@of(*by_each("failed"))
async def test_a_former_failure_has_its_reason(front: Front) -> None:
    status, body = await answer(front)
    assert (status, body["reason"]) == (500, "InternalError")


@of(*by_each("cancelled"))
async def test_a_former_cancellation_is_one(front: Front) -> None:
    status, body = await answer(front)
    assert (status, body["reason"]) == (409, "Cancelled")


@of("newer")
async def test_a_newer_answer_is_made_of_what_is_known(front: Front) -> None:
    status, body = await answer(front)
    assert (status, body["answer"], body["abstained"]) == (200, "So.", False)


async def completion(front: Front) -> str:
    """What OpenAI's client has of a stream at its end, or the code of its error."""
    async with AsyncOpenAI(base_url=f"{front.url}/v1", api_key="none", max_retries=0) as client:
        asked = {"model": str(SUPPORT), "messages": [{"role": "user", "content": "?"}]}
        whole = await client.chat.completions.create(**asked)  # type: ignore[call-overload]
        stream = await client.chat.completions.create(**asked, stream=True)  # type: ignore[call-overload]
        text = ""
        try:
            async for chunk in stream:
                text += chunk.choices[0].delta.content or ""
        except APIError as error:
            return f"{whole.choices[0].message.content}{error.code}"
        assert text == whole.choices[0].message.content
        return text


@pytest.mark.parametrize(
    ("front", "text"),
    [
        *((name, WORDS) for name in by_each("answered")),
        *((name, "I do not know.") for name in by_each("abstained")),
        *((name, f"{WORDS}answer_restarted") for name in by_each("restarted", "decided")),
        ("newer", "So."),
    ],
    indirect=["front"],
)
async def test_the_openai_protocol_has_the_same_text(front: Front, text: str) -> None:
    assert await completion(front) == text
