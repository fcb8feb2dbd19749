"""Whether an answer is whole, and comes in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import ValidationError
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelRequestRejectedError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.messages import (
    ModelMessagesTypeAdapter,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPartDelta,
)
from pydantic_ai.models import StreamedResponse
from pydantic_core import PydanticSerializationError

from slipway_runtime.models.attempts import Link
from slipway_runtime.models.failures import ContentFiltered, CutShort, Endless, NoCredentials

TIMEOUTS_PER_REQUEST = 10
"""A streamed answer may take so many times the model's time-out, however steadily it comes."""


@asynccontextmanager
async def readable(link: Link) -> AsyncIterator[None]:
    """Turn what is no ModelAPIError, but says that an answer or a request does not fit the model, into one."""
    try:
        yield
    except TimeoutError as error:
        raise ModelTimeoutError(link.config.model, f"no answer within {link.config.timeout_seconds} s") from error
    except (UnexpectedModelBehavior, ValidationError, UnicodeEncodeError, PydanticSerializationError) as error:
        raise ModelAPIError(link.config.model, "the answer cannot be read") from error
    except UserError as error:
        raise ModelRequestRejectedError(link.config.model, "the model cannot be asked this") from error
    except Exception as error:
        # pydantic-ai leaves what AWS's SDK raises before it sends anything. The SDK may not be installed here.
        if type(error).__module__ != "botocore.exceptions":
            raise
        raise NoCredentials(link.config.model, "no credentials") from error


def judge(link: Link, response: ModelResponse, *, last: bool) -> None:
    """Raise unless a response is whole.

    Raises:
        PydanticSerializationError: if it cannot be stored, since it has half of a surrogate pair.
        CutShort: if the provider did not say why it ended. pydantic-ai takes such a response for a whole one.
        ContentFiltered: by the content filter, unless this is the last model: then the refusal is the answer.
    """
    if "finish_reason" not in (response.provider_details or {}):
        raise CutShort(link.config.model, "the answer ended without a finish reason")
    if response.finish_reason == "content_filter" and not last:
        raise ContentFiltered(link.config.model, "the content filter ended the answer")
    ModelMessagesTypeAdapter.dump_json([response])


async def bounded(stream: StreamedResponse, link: Link, *, opened: float) -> AsyncIterator[ModelResponseStreamEvent]:
    """The events of a stream, as long as they come in time and are not too many.

    Args:
        opened: when the request was made, on the loop's clock: the first event has to come within one time-out of it.

    Raises:
        TimeoutError: if no event came within the time-out, whatever else the server sent to keep the connection.
        Endless: if the answer is longer, or takes longer, than any answer may.
        UnicodeEncodeError: if the text has half of a surrogate pair, which nobody can be shown.
    """
    seconds = link.config.timeout_seconds
    end = opened + seconds * TIMEOUTS_PER_REQUEST
    until = opened + seconds
    characters = 0
    loop = asyncio.get_running_loop()
    events = aiter(stream)
    while True:
        async with asyncio.timeout_at(until):
            try:
                event = await anext(events)
            except StopAsyncIteration:
                return
        text_of(event).encode()
        characters += written(event)
        if characters > link.most_characters() or loop.time() > end:
            raise Endless(link.config.model, "the answer did not end")
        yield event
        until = loop.time() + seconds


def text_of(event: ModelResponseStreamEvent) -> str:
    """The text that an event adds to the answer, or to what the model thinks."""
    match event:
        case PartStartEvent(part=TextPart(content=text) | ThinkingPart(content=text)):
            return text
        case PartDeltaEvent(delta=TextPartDelta(content_delta=piece) | ThinkingPartDelta(content_delta=piece)):
            return piece or ""
    return ""


def written(event: ModelResponseStreamEvent) -> int:
    """How many characters an event adds to the answer."""
    if not isinstance(event, PartDeltaEvent):
        return 1
    delta = event.delta
    if isinstance(delta, TextPartDelta | ThinkingPartDelta):
        return len(delta.content_delta or "")
    if isinstance(delta, ToolCallPartDelta) and isinstance(delta.args_delta, str):
        return len(delta.args_delta)
    return 1
