"""Requests as front ends make them, by their source.

Open WebUI, read at 074d488 (`backend/open_webui/routers/tasks.py`) and 004a45f (`routers/openai.py`): it lists models,
streams each answer with `stream_options`, and asks for titles, follow-ups and tags in messages of its own, without
`metadata`, which it takes out before it sends anything.

LibreChat, read at 00b3bc3 (`packages/api/src/endpoints/openai/llm.ts`) and `danny-avila/agents` at 28eab85
(`src/utils/title.ts`): LangChain's ChatOpenAI with the conversation's settings and the user's id, and a title by
completion or by structured output.
"""

from typing import Any

import pytest

from tests.runtime.gateway.conftest import Front
from tests.runtime.protocols.test_front_ends import HISTORY, PROMPTS
from tests.support.scripted_host import words

MODEL = "demo/support"
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "What is a run?"},
    {"role": "assistant", "content": "An answer in the making."},
    {"role": "user", "content": "3 words, settings"},
]


async def post(front: Front, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, Any]:
    """The status and the body of an answer; the text of a stream."""
    async with front.client.post("/v1/chat/completions", json=body, headers=headers) as response:
        streams = response.content_type == "text/event-stream"
        return response.status, await response.text() if streams else await response.json()


async def said(front: Front, headers: dict[str, str] | None = None, **body: Any) -> str:
    status, answer = await post(front, headers, model=MODEL, **body)
    assert status == 200, answer
    return str(answer["choices"][0]["message"]["content"])


async def test_open_webui_streams_an_answer(front: Front) -> None:
    status, stream = await post(
        front,
        {"X-OpenWebUI-User-Name": "A", "X-OpenWebUI-Chat-Id": "c", "X-OpenWebUI-Task": ""},
        stream=True,
        model=MODEL,
        messages=[{"role": "system", "content": "User Context:\n\n"}, *TALK],
        temperature=0.7,
        stream_options={"include_usage": True},
    )
    assert status == 200
    assert all(f'"content":"{word}"' in stream for word in words(3))
    assert '"task\\": null' in stream
    assert '"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}' in stream
    assert stream.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("task", PROMPTS)
async def test_open_webuis_own_requests_are_known(front: Front, task: str) -> None:
    prompt = f"{PROMPTS[task]} settings 0 words{HISTORY}"
    messages = [{"role": "user", "content": prompt}]
    answer = await said(front, messages=messages, stream=False, max_completion_tokens=1000)
    assert f'"task": "{task}"' in answer


async def test_a_changed_prompt_is_known_by_the_header(front: Front) -> None:
    messages = [{"role": "user", "content": "Call it something, settings"}]
    answer = await said(front, {"X-OpenWebUI-Task": "title_generation"}, messages=messages)
    assert '"task": "title_generation"' in answer


async def test_librechat_streams_an_answer(front: Front) -> None:
    status, stream = await post(
        front,
        model=MODEL,
        temperature=1,
        top_p=1,
        presence_penalty=0,
        frequency_penalty=0,
        max_tokens=2048,
        user="65f0c9",
        stream=True,
        stream_options={"include_usage": True},
        messages=TALK,
    )
    assert status == 200
    assert '\\"max_tokens\\": 2048' in stream
    assert stream.endswith("data: [DONE]\n\n")


async def test_librechat_asks_for_a_title(front: Front) -> None:
    prompt = (
        "Provide a concise, 5-word-or-less title for the conversation, using title case conventions. Only return the "
        "title itself.\n\nConversation:\nUser: settings\nAI: hello"
    )
    assert '"task": "title_generation"' in await said(front, messages=[{"role": "user", "content": prompt}], n=1)
