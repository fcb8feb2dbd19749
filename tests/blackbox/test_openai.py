"""An agent as a model, with OpenAI's official client, whichever driver runs it."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.blackbox.conftest import AGENT, Target
from tests.blackbox.test_chat import QUESTION

MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]
TITLE = "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n<chat_history>"


@pytest.fixture
async def client(target: Target) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{target.url}/v1", api_key=target.key or "none", timeout=300) as client:
        yield client


async def test_an_agent_is_a_model(client: AsyncOpenAI) -> None:
    assert AGENT in [model.id async for model in client.models.list()]
    answer = await client.chat.completions.create(model=AGENT, messages=MESSAGES, temperature=0)
    assert "MiniLM" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model_extra is not None
    assert answer.model_extra["slipway"]["sources"]


async def test_a_stream_has_the_same_text(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model=AGENT, messages=MESSAGES)
    stream = await client.chat.completions.create(model=AGENT, messages=MESSAGES, stream=True)
    pieces = [choice.delta.content or "" async for chunk in stream for choice in chunk.choices]
    assert "".join(pieces) == whole.choices[0].message.content


async def test_a_conversation_goes_along(client: AsyncOpenAI) -> None:
    talk: list[Any] = [
        {"role": "system", "content": "Be brief."},
        *MESSAGES,
        {"role": "assistant", "content": "MiniLM."},
    ]
    answer = await client.chat.completions.create(model=AGENT, messages=[*talk, *MESSAGES])
    assert "MiniLM" in (answer.choices[0].message.content or "")


async def test_a_front_ends_title_is_not_searched_for(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model=AGENT, messages=[{"role": "user", "content": TITLE}])
    assert answer.choices[0].message.content == ""
    assert answer.model_extra is not None
    assert answer.model_extra["slipway"]["usage"] is None


async def test_what_the_agent_cannot_do_is_refused_by_name(client: AsyncOpenAI) -> None:
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    with pytest.raises(openai.BadRequestError, match="does not take: client_tools"):
        await client.chat.completions.create(model=AGENT, messages=MESSAGES, tools=tools)
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(model="demo/nobody", messages=MESSAGES)


async def test_a_wrong_key_is_refused(target: Target) -> None:
    if target.key is None:
        pytest.skip("the gateway is open")
    async with AsyncOpenAI(base_url=f"{target.url}/v1", api_key="wrong") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
