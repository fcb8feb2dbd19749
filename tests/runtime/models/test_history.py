"""Conversations are cut to what a model takes, and images go to models that see."""

import json

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from slipway_runtime.models.history import fitted, message_tokens, text_tokens
from slipway_runtime.problems import Problem, Reason
from tests.support.model_server import Reply, model_server
from tests.support.models import ask, entry, make_models

NONE = ModelRequestParameters()
PIXEL = BinaryContent(b"\x89PNG\r\n\x1a\n", media_type="image/png")


def turn(number: int, words: int = 100) -> list[ModelMessage]:
    """A question with a tool call, its result and the answer: about 4 * words tokens."""
    text = f"turn{number} " + "word " * words
    return [
        ModelRequest(parts=[UserPromptPart(text)]),
        ModelResponse(parts=[ToolCallPart("look", {"at": number}, f"call{number}")]),
        ModelRequest(parts=[ToolReturnPart("look", text, f"call{number}")]),
        ModelResponse(parts=[TextPart("fine")]),
    ]


def numbers(messages: list[ModelMessage]) -> list[int]:
    """Which turns are there."""
    text = json.dumps([str(part) for message in messages for part in message.parts])
    return [number for number in range(1, 9) if f"turn{number} " in text]


CONVERSATION = [message for number in range(1, 6) for message in turn(number)]
QUESTION = UserPromptPart("turn6 and now?")
ASKED = [*CONVERSATION, ModelRequest(parts=[QUESTION])]


@pytest.mark.parametrize(
    ("context", "kept"),
    [(None, [1, 2, 3, 4, 5, 6]), (100_000, [1, 2, 3, 4, 5, 6]), (1_600, [3, 4, 5, 6]), (700, [5, 6]), (10, [6])],
)
def test_the_newest_turns_are_kept_whole(context: int | None, kept: list[int]) -> None:
    sent = fitted(ASKED, NONE, context=context, answer=100)
    assert numbers(sent) == kept
    calls = {part.tool_call_id for message in sent for part in message.parts if isinstance(part, ToolCallPart)}
    results = {part.tool_call_id for message in sent for part in message.parts if isinstance(part, ToolReturnPart)}
    assert calls == results
    if context and context > 10:
        assert sum(map(message_tokens, sent)) <= context - 100


def test_system_prompts_of_turns_that_are_cut_stay() -> None:
    system = SystemPromptPart("Answer in rhymes.")
    first = ModelRequest(parts=[system, UserPromptPart("turn1 " + "word " * 500)])
    sent = fitted([first, *CONVERSATION[4:], ASKED[-1]], NONE, context=700, answer=100)
    assert sent[0].parts[0] == system
    assert numbers(sent) == [5, 6]
    assert len([part for message in sent for part in message.parts if isinstance(part, SystemPromptPart)]) == 1


def test_instructions_and_tools_count() -> None:
    tool = ToolDefinition(name="look", description="word " * 500, parameters_json_schema={"type": "object"})
    instructed = [*CONVERSATION, ModelRequest(parts=[QUESTION], instructions="word " * 500)]
    assert numbers(fitted(ASKED, NONE, context=1_600, answer=100)) == [3, 4, 5, 6]
    assert numbers(fitted(ASKED, ModelRequestParameters(function_tools=[tool]), context=1_600, answer=100)) == [5, 6]
    assert numbers(fitted(instructed, NONE, context=1_600, answer=100)) == [5, 6]


def test_the_estimate_is_high_for_prose() -> None:
    """A token of English is about four characters, one of Chinese one character, which has three bytes."""
    assert text_tokens("word " * 400) >= 500
    assert text_tokens("你好" * 100) >= 200
    assert text_tokens("") == 0


async def test_what_is_sent_fits_a_model_of_the_manifest() -> None:
    with model_server("Fine.") as server:
        models = make_models(entry(server, context_tokens=1_600, settings={"max_tokens": 100}))
        await ask(models, "turn6 and now?", history=CONVERSATION)
        sent = json.dumps(server.requests[0].body["messages"])
    assert "turn5 " in sent
    assert "turn6 " in sent
    assert "turn1 " not in sent


async def test_a_model_of_the_table_needs_no_context_in_the_manifest() -> None:
    """gpt-5-mini takes some hundred thousand tokens: 1,000 long turns do not fit, and the newest are sent."""
    history = [message for number in range(1_000) for message in turn(number, words=600)]
    with model_server("Fine.") as server:
        await ask(make_models(entry(server, "openai", seconds=30)), "And now?", history=history)
        sent = json.dumps(server.requests[0].body["messages"])
    assert "turn999 " in sent
    assert "turn0 " not in sent


@pytest.mark.parametrize("image", [PIXEL, ImageUrl("https://pictures.test/cat.png")])
async def test_images_go_to_a_model_that_sees(image: BinaryContent | ImageUrl) -> None:
    with model_server("A cat.") as blind, model_server("A cat.") as seeing:
        models = make_models(entry(blind), entry(seeing, name="second", images=True))
        result, seen = await ask(models, ["What is this?", image])
        assert models.answered_by(result.response).name == "second"
        assert blind.requests == []
        assert len(seen.usages) == 1, "a model that was not asked used nothing"


async def test_an_image_that_no_model_takes_is_refused_by_name() -> None:
    with model_server(Reply("A cat.")) as server:
        with pytest.raises(Problem) as raised:
            await ask(make_models(entry(server)), ["What is this?", PIXEL])
        assert server.requests == []
    assert raised.value.reason is Reason.INVALID_REQUEST
    assert "openai-compatible:test-model takes no images" in raised.value.detail


async def test_prompts_are_cached_where_the_provider_is_asked_to() -> None:
    with model_server("Fine.") as server:
        await ask(make_models(entry(server, "anthropic")), "And now?", history=CONVERSATION)
        await ask(make_models(entry(server)), "And now?", history=CONVERSATION)
        anthropic, compatible = (json.dumps(each.body) for each in server.requests)
    assert "cache_control" in anthropic
    assert "cache" not in compatible
