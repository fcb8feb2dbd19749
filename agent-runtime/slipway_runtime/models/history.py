"""Cuts a conversation to what a model can take, and looks for images in it.

Tokens are estimated from bytes: providers count differently, and counting exactly would need a tokenizer for each. The
estimate is high for prose, so that a conversation that is sent fits.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters

BYTES_PER_TOKEN = 3
IMAGE_TOKENS = 1_600
MESSAGE_TOKENS = 8
ANSWER_TOKENS = 4_096
"""Kept free for the answer where the settings name no `maxTokens`, but at most a quarter of the context."""


def text_tokens(text: str) -> int:
    """An estimate for a text."""
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)


def _value_tokens(value: Any) -> int:
    if isinstance(value, str):
        return text_tokens(value)
    if isinstance(value, BinaryContent | ImageUrl):
        return IMAGE_TOKENS
    if isinstance(value, list | tuple):
        return sum(_value_tokens(each) for each in value)
    return text_tokens(json.dumps(value, default=str)) if value is not None else 0


def message_tokens(message: ModelMessage) -> int:
    """An estimate for a message with everything in it, its instructions aside."""
    total = MESSAGE_TOKENS
    for part in message.parts:
        for name in ("content", "args", "tool_name"):
            total += _value_tokens(getattr(part, name, None))
    return total


def fixed_tokens(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> int:
    """An estimate for what is sent with every request: instructions and the definitions of tools and output."""
    instructions = next(
        (each.instructions for each in reversed(messages) if isinstance(each, ModelRequest) and each.instructions), ""
    )
    tools = [*parameters.function_tools, *parameters.output_tools]
    defined = sum(_value_tokens([each.name, each.description or "", each.parameters_json_schema]) for each in tools)
    output = parameters.output_object
    return text_tokens(instructions) + defined + (_value_tokens(output.json_schema) if output else 0)


def turns(messages: Sequence[ModelMessage]) -> list[list[ModelMessage]]:
    """The messages by turn: each begins with what the user says, so that no tool call loses its result."""
    found: list[list[ModelMessage]] = []
    for message in messages:
        begins = isinstance(message, ModelRequest) and any(isinstance(part, UserPromptPart) for part in message.parts)
        if begins or not found:
            found.append([])
        found[-1].append(message)
    return found


def fitted(
    messages: list[ModelMessage], parameters: ModelRequestParameters, *, context: int | None, answer: int | None
) -> list[ModelMessage]:
    """The messages that a model is sent: system prompts, the newest turn, and as many turns before it as fit.

    Args:
        context: tokens that the model can take, answer included; None sends everything.
        answer: tokens that the answer may have; None for an ordinary one.
    """
    if context is None:
        return messages
    free = answer if answer is not None else min(ANSWER_TOKENS, context // 4)
    budget = context - free - fixed_tokens(messages, parameters)
    *older, newest = turns(messages)
    system = {number: parts for number, turn in enumerate(older) if (parts := _system(turn))}
    used = _tokens(newest) + sum(text_tokens(part.content) for parts in system.values() for part in parts)
    first = len(older)
    while first > 0:
        used += _tokens(older[first - 1]) - sum(text_tokens(part.content) for part in system.get(first - 1, ()))
        if used > budget:
            break
        first -= 1
    if first == 0:
        return messages
    cut = [part for number, parts in system.items() if number < first for part in parts]
    return _with_system(cut, [*older[first:], newest])


def _tokens(turn: Sequence[ModelMessage]) -> int:
    return sum(map(message_tokens, turn))


def _system(turn: Sequence[ModelMessage]) -> list[SystemPromptPart]:
    requests = (message for message in turn if isinstance(message, ModelRequest))
    return [part for request in requests for part in request.parts if isinstance(part, SystemPromptPart)]


def _with_system(system: list[SystemPromptPart], kept: list[list[ModelMessage]]) -> list[ModelMessage]:
    messages = [message for turn in kept for message in turn]
    first = messages[0]
    if system and isinstance(first, ModelRequest):
        messages[0] = replace(first, parts=[*system, *first.parts])
    return messages


def has_images(messages: Sequence[ModelMessage]) -> bool:
    """Whether an image is in the conversation."""
    for message in messages:
        if isinstance(message, ModelResponse):
            continue
        for part in message.parts:
            content = getattr(part, "content", None)
            if isinstance(content, list | tuple) and any(_is_image(each) for each in content):
                return True
    return False


def _is_image(content: Any) -> bool:
    return isinstance(content, ImageUrl) or (isinstance(content, BinaryContent) and content.is_image)
