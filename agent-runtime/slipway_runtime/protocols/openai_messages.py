"""OpenAI's messages: as its clients send them, and as an `Ask` has them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from slipway_runtime.protocols.ask import Message, Part, TextPart, ToolUse
from slipway_runtime.protocols.conversations import Conversation, split
from slipway_runtime.protocols.images import NotAnImage, read_data_url
from slipway_runtime.protocols.parameters import BadParameter

ROLES: dict[str, Literal["system", "user", "assistant", "tool"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


class Lenient(BaseModel):
    """Clients send back what they were given, with fields of their own."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class ImageUrl(Lenient):
    """Of a picture."""

    url: str


class ContentPart(Lenient):
    """A piece of a message."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | None = None


class CalledFunction(Lenient):
    """What a message calls."""

    name: str
    arguments: str = ""


class MessageToolCall(Lenient):
    """A call that an assistant's message has."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(Lenient):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[MessageToolCall] | None = None
    tool_call_id: str | None = None


Messages = Annotated[list[ChatMessage], Field(min_length=1)]


def read_conversation(messages: Sequence[ChatMessage]) -> Conversation:
    """Find the question among messages.

    Raises:
        BadParameter: naming the message.
    """
    return split([_message(message, f"messages.{place}") for place, message in enumerate(messages)])


def _message(message: ChatMessage, where: str) -> Message:
    role = ROLES[message.role]
    if role == "tool" and not message.tool_call_id:
        raise BadParameter(f"{where}.tool_call_id", "name the call that this is the result of")
    calls = message.tool_calls if role == "assistant" else None
    return Message(
        role=role,
        parts=tuple(_parts(message.content, f"{where}.content")),
        tool_calls=tuple(_call(call, f"{where}.tool_calls.{place}") for place, call in enumerate(calls))
        if calls
        else None,
        tool_call_id=message.tool_call_id if role == "tool" else None,
    )


def _parts(content: str | list[ContentPart] | None, where: str) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [TextPart(text=_text(content, where))] if content else []
    return [_part(part, f"{where}.{place}") for place, part in enumerate(content)]


def _part(part: ContentPart, where: str) -> Part:
    text = {"text": part.text, "refusal": part.refusal}.get(part.type)
    if text is not None:
        return TextPart(text=_text(text, where))
    if part.type == "image_url" and part.image_url is not None:
        try:
            return read_data_url(part.image_url.url)
        except NotAnImage as error:
            raise BadParameter(f"{where}.image_url", str(error)) from None
    if part.type in ("text", "refusal", "image_url"):
        raise BadParameter(where, f"a part of the type {part.type} has a field of that name")
    raise BadParameter(where, f"parts of the type {part.type[:40]} are not supported: send text and image_url")


def _text(text: str, where: str) -> str:
    if "\0" in text:
        raise BadParameter(where, "must not contain NUL characters")
    return text


def _call(call: MessageToolCall, where: str) -> ToolUse:
    return tool_use(call.id, call.function.name, call.function.arguments, where)


def tool_use(id: str, name: str, arguments: str, where: str) -> ToolUse:  # noqa: A002
    """A call whose arguments are JSON in a string. Raises BadParameter."""
    try:
        args: Any = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        args = None
    if not isinstance(args, dict):
        raise BadParameter(f"{where}.function.arguments", "must be a JSON object in a string")
    return ToolUse(id=id, name=name, args=args)
