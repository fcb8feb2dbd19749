"""Answers of servers, as JSON or as a stream of events: reading the messages in them, and changing one in place."""

from collections.abc import Callable, Iterator

from slipway_runtime.plugins.event_streams import Content, EventReader, data_of, loads
from slipway_runtime.plugins.messages import EVENT_STREAM, MessageId, dumps


def with_data(event: bytes, content: Content) -> bytes:
    """The event with another message; its id and type stay."""
    kept = [line for line in event.split(b"\n") if line and not line.startswith(b"data:")]
    return b"\n".join([*kept, b"data: " + dumps(content)]) + b"\n\n"


def event_of(content: Content) -> bytes:
    """A message as an event."""
    return b"event: message\ndata: " + dumps(content) + b"\n\n"


def messages_in(body: bytes, media_type: str) -> Iterator[Content]:
    """Every message in a whole answer. Raises ValueError for what is none."""
    if media_type != EVENT_STREAM:
        yield loads(body)
        return
    reader = EventReader()
    for event in [*reader.feed(body), *reader.end()]:
        if (content := data_of(event)) is not None:
            yield content


def answer_in(body: bytes, media_type: str, message_id: MessageId) -> Content:
    """The answer to a request, the first if there are several. Raises ValueError if there is none.

    An error as the whole of an answer counts, whatever its id: servers refuse what they have not read to its end.
    """
    for content in messages_in(body, media_type):
        if "method" not in content and (content.get("id") == message_id or "error" in content):
            return content
    raise ValueError("no answer to the request")


def changed(body: bytes, media_type: str, change: Callable[[Content], Content]) -> bytes:
    """A whole answer with each of its messages changed. Raises ValueError for what is no message."""
    if media_type != EVENT_STREAM:
        return dumps(change(loads(body)))
    reader, parts = EventReader(), []
    for event in [*reader.feed(body), *reader.end()]:
        content = data_of(event)
        parts.append(with_data(event, change(content)) if content is not None else event + b"\n\n")
    return b"".join(parts)
