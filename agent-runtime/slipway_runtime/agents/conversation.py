"""A question with what came before it, as the messages that a model is sent.

The agent's own instructions come first, in a system prompt. A client's system messages rank below them: they are sent
as what the client asks for, and cannot replace what the platform engineer wrote.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence

import orjson
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from slipway_runtime.agents.summaries import message_of
from slipway_runtime.agents.tool_results import RULE, as_data
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import ask
from slipway_runtime.protocols.images import TooManyPixels, check_pixels
from slipway_runtime.run import AgentRequest

CLIENT_SYSTEM = "The client asks for this, as far as it agrees with the instructions above:\n"
MAGIC = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
"""How the images that models take begin."""


def former_messages(request: AgentRequest) -> list[ModelMessage]:
    """The conversation before the question: the session's turns, or the messages that the client keeps."""
    return [*_summary(request), *_turns(request), *_client_messages(request.history)]


def later_messages(request: AgentRequest) -> list[ModelMessage]:
    """What followed the question: calls of the client's tools, and their results."""
    return list(_client_messages(request.continuation))


def tool_rule(request: AgentRequest, *, asks: bool = False) -> str:
    """What goes into the instructions where results of tools are among the messages, or may come; else empty.

    Args:
        asks: whether the agent has tools of its own.
    """
    results = any(message.role == "tool" for message in request.history)
    return RULE if asks or results or request.client_tools or request.continuation else ""


def system_message(instructions: str) -> list[ModelMessage]:
    """The agent's own instructions, before everything else."""
    return [ModelRequest(parts=[SystemPromptPart(instructions)])] if instructions else []


def user_content(request: AgentRequest) -> list[UserContent]:
    """What the caller says now: texts, images, and the object that came along, marked as data.

    Raises:
        Problem: `InvalidRequest` for an image that is none.
    """
    content = list(_contents(request.parts)) or [request.question]
    if request.context is not None:
        content.append(f"<data>\n{orjson.dumps(request.context).decode()}\n</data>")
    return content


def user_prompt(content: Sequence[UserContent]) -> UserPromptPart:
    """What a user says, as plain text where it is text alone: not every server takes a list."""
    if all(isinstance(each, str) for each in content):
        return UserPromptPart("\n\n".join(map(str, content)))
    return UserPromptPart(list(content))


def _summary(request: AgentRequest) -> Iterator[ModelMessage]:
    """As a system message, which is sent also where turns are left out for a small context."""
    if request.summary.text:
        yield ModelRequest(parts=[SystemPromptPart(message_of(request.summary))])


def _turns(request: AgentRequest) -> Iterator[ModelMessage]:
    for turn in request.turns:
        yield ModelRequest(parts=[UserPromptPart(turn.question)])
        yield ModelResponse(parts=[TextPart(turn.answer)])


def _client_messages(messages: Sequence[ask.Message]) -> Iterator[ModelMessage]:
    names = {call.id: call.name for message in messages for call in message.tool_calls or ()}
    for message in messages:
        match message.role:
            case "system":
                yield ModelRequest(parts=[SystemPromptPart(CLIENT_SYSTEM + message.text)])
            case "user":
                yield ModelRequest(parts=[user_prompt(list(_contents(message.parts)))])
            case "assistant":
                yield ModelResponse(parts=list(_said(message)))
            case "tool":
                id_ = message.tool_call_id or ""
                name = names.get(id_, "tool")
                part: ModelRequestPart = ToolReturnPart(name, as_data(name, message.text), tool_call_id=id_)
                yield ModelRequest(parts=[part])


def _said(message: ask.Message) -> Iterator[ModelResponsePart]:
    if message.text:
        yield TextPart(message.text)
    for call in message.tool_calls or ():
        yield ToolCallPart(call.name, dict(call.args), tool_call_id=call.id)


def _contents(parts: Sequence[ask.Part]) -> Iterator[UserContent]:
    for part in parts:
        if isinstance(part, ask.TextPart):
            yield part.text
        elif isinstance(part, ask.ImagePart):
            yield image_content(part)


def image_content(part: ask.ImagePart) -> BinaryContent:
    """An image as models take it.

    Raises:
        Problem: `InvalidRequest` if it is not one, of a format that models do not take, or of too many pixels.
    """
    try:
        data = base64.b64decode(part.data, validate=True)
    except binascii.Error:
        raise Problem(Reason.INVALID_REQUEST, "An image must be its bytes as Base64, without line breaks.") from None
    begins = MAGIC.get(part.media_type)
    if begins is None:
        raise Problem(Reason.INVALID_REQUEST, f"Images are {', '.join(MAGIC)}, not {part.media_type[:60]}.")
    if not data.startswith(begins):
        raise Problem(Reason.INVALID_REQUEST, f"An image is not what it says it is ({part.media_type}). Send another.")
    try:
        check_pixels(part.media_type, data)
    except TooManyPixels as error:
        raise Problem(Reason.INVALID_REQUEST, f"{error}.") from None
    return BinaryContent(data, media_type=part.media_type)
