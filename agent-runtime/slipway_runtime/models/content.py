"""Messages as the conventions for generative AI have them in spans, for agents with `telemetry.content`."""

from collections.abc import Sequence
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)


def as_messages(messages: Sequence[ModelMessage]) -> list[dict[str, Any]]:
    """Role and parts of each message, https://opentelemetry.io/docs/specs/semconv/gen-ai/. Images are left out."""
    found: list[dict[str, Any]] = []
    for message in messages:
        role = "user" if isinstance(message, ModelRequest) else "assistant"
        if isinstance(message, ModelRequest) and message.instructions:
            found.append({"role": "system", "parts": [_text(message.instructions)]})
        found.append({"role": role, "parts": [told for part in message.parts if (told := _part(part))]})
    return found


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}


def _part(part: Any) -> dict[str, Any] | None:
    if isinstance(part, UserPromptPart):
        texts = (
            [part.content] if isinstance(part.content, str) else [str(e) for e in part.content if isinstance(e, str)]
        )
        return _text("\n".join(texts))
    if isinstance(part, SystemPromptPart | TextPart):
        return _text(part.content)
    if isinstance(part, ThinkingPart):
        return {"type": "reasoning", "content": part.content}
    if isinstance(part, ToolCallPart):
        return {"type": "tool_call", "id": part.tool_call_id, "name": part.tool_name, "arguments": part.args}
    if isinstance(part, ToolReturnPart):
        return {"type": "tool_call_response", "id": part.tool_call_id, "response": part.content}
    return None
