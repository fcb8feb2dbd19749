"""Answers of servers, as JSON or as a stream of events: reading the messages in them, and changing one in place."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from slipway_runtime.plugins.messages import EVENT_STREAM, MessageId, dumps

Content = dict[str, Any]
EVENT_BYTES = 4 * 1024 * 1024
"""Of one event."""


class TooLong(ValueError):
    """An event of a stream is longer than anything is read."""


class EventReader:
    """Cuts a stream into events, whatever pieces it comes in. Line breaks may be those of any system."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that are whole now, each without the empty line after it.

        Raises:
            TooLong: for an event of more than 4 MiB.
        """
        text = (self._rest + piece).replace(b"\r\n", b"\n")
        if text.endswith(b"\r"):  # the line break may go on in the next piece
            text, held = text[:-1], b"\r"
        else:
            held = b""
        *events, rest = text.replace(b"\r", b"\n").split(b"\n\n")
        self._rest = rest + held
        if len(self._rest) > EVENT_BYTES:
            raise TooLong(f"an event of more than {EVENT_BYTES // 2**20} MiB")
        return [event for event in events if event.strip(b"\n")]

    def end(self) -> list[bytes]:
        """What is left at the end of the stream. The specification drops it; servers forget the last empty line."""
        rest, self._rest = self._rest.strip(b"\r\n"), b""
        return [rest] if rest else []


def data_of(event: bytes) -> Content | None:
    """The message in an event; None if there is none. Raises ValueError for one that is no JSON object."""
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    text = b"\n".join(lines)
    return loads(text) if text.strip() else None


def with_data(event: bytes, content: Content) -> bytes:
    """The event with another message; its id and type stay."""
    kept = [line for line in event.split(b"\n") if line and not line.startswith(b"data:")]
    return b"\n".join([*kept, b"data: " + dumps(content)]) + b"\n\n"


def event_of(content: Content) -> bytes:
    """A message as an event."""
    return b"event: message\ndata: " + dumps(content) + b"\n\n"


def loads(text: bytes) -> Content:
    """A message of a server. Raises ValueError if it is no JSON object."""
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    if not isinstance(content, dict):
        raise ValueError("JSON that is no object")
    return content


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
