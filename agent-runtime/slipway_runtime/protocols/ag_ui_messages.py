"""AG-UI's messages, as an `Ask` has them."""

from collections.abc import Sequence

from ag_ui.core import (
    ActivityMessage,
    AssistantMessage,
    ContentPart,
    DeveloperMessage,
    ReasoningMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from ag_ui.core import Message as AgUiMessage

from slipway_runtime.protocols.ask import Message, Part, TextPart, ToolUse
from slipway_runtime.protocols.images import NotAnImage, read_data_url
from slipway_runtime.protocols.openai_messages import tool_use
from slipway_runtime.protocols.parameters import BadParameter


def read_messages(messages: Sequence[AgUiMessage]) -> list[Message]:
    """What was said. A last message of the agent's is left out: a client sends what it had of an answer that broke off.

    Raises:
        BadParameter: naming the message.
    """
    read: list[Message] = []
    for place, message in enumerate(messages):
        if not isinstance(message, ActivityMessage | ReasoningMessage):  # shown by clients, not read by agents
            read.append(_message(message, f"messages.{place}"))
    while read and read[-1].role == "assistant" and not read[-1].tool_calls:
        read.pop()
    return read


Spoken = DeveloperMessage | SystemMessage | UserMessage | AssistantMessage | ToolMessage


def _message(message: Spoken, where: str) -> Message:
    match message:
        case DeveloperMessage() | SystemMessage():
            return Message(role="system", parts=(TextPart(text=_text(message.content, where)),))
        case AssistantMessage():
            said = (TextPart(text=_text(message.content, where)),) if message.content else ()
            calls = [_call(call, f"{where}.toolCalls.{place}") for place, call in enumerate(message.tool_calls or ())]
            return Message(role="assistant", parts=said, tool_calls=tuple(calls) or None)
        case ToolMessage():
            return _result(message, where)
        case UserMessage():
            return Message(role="user", parts=tuple(_parts(message.content, where)))


def _result(message: ToolMessage, where: str) -> Message:
    """A part that is no text is left out, as the protocol wants it: the call must be answered all the same."""
    content = message.content
    kept = content if isinstance(content, str) else [part for part in content if part.type == "text"]
    texts = [part.text for part in _parts(kept, where) if isinstance(part, TextPart)]
    text = "\n".join([*texts, *([f"Error: {message.error}"] if message.error else [])])
    return Message(role="tool", parts=(TextPart(text=text),), tool_call_id=message.tool_call_id)


def _parts(content: str | Sequence[ContentPart], where: str) -> list[Part]:
    if isinstance(content, str):
        return [TextPart(text=_text(content, where))] if content else []
    return [_part(part, f"{where}.content.{place}") for place, part in enumerate(content)]


def _part(part: ContentPart, where: str) -> Part:
    if part.type == "text":
        return TextPart(text=_text(part.text, where))
    if part.type != "image":
        raise BadParameter(where, f"parts of the type {part.type} are not supported: send text and image")
    source = part.source
    url = f"data:{source.mime_type};base64,{source.value}" if source.type == "data" else source.value
    try:
        return read_data_url(url)
    except NotAnImage as error:
        raise BadParameter(f"{where}.source", str(error)) from None


def _text(text: str, where: str) -> str:
    if "\0" in text:
        raise BadParameter(f"{where}.content", "must not contain NUL characters")
    return text


def _call(call: ToolCall, where: str) -> ToolUse:
    return tool_use(call.id, call.function.name, call.function.arguments, where)
