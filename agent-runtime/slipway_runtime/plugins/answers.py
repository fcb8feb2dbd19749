"""Answers of servers, as JSON or as a stream of events: reading the messages in them, and changing one in place."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from slipway_runtime.plugins.event_streams import Content, EventReader, TooLong, data_of, loads
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


def answers(content: Content, message_id: MessageId) -> bool:
    """Whether a message is the answer to a request. An error counts, whatever its id: servers refuse what they have not
    read to its end."""
    return "method" not in content and (content.get("id") == message_id or "error" in content)


class AnswerWatch:
    """Sees whether a stream that passes has an answer to a request. An event that is too long to be read counts."""

    def __init__(self, message_id: MessageId) -> None:
        self._id = message_id
        self._reader = EventReader()
        self.answered = False

    def feed(self, piece: bytes) -> None:
        """The next piece of the stream."""
        if self.answered:
            return
        try:
            self._look(self._reader.feed(piece))
        except TooLong:
            self.answered = True

    def answered_at_end(self) -> bool:
        """Whether there was one, now that the stream has ended."""
        if not self.answered:
            self._look(self._reader.end())
        return self.answered

    def _look(self, events: list[bytes]) -> None:
        for event in events:
            with suppress(ValueError):
                content = data_of(event)
                self.answered = self.answered or (content is not None and answers(content, self._id))


def answer_in(body: bytes, media_type: str, message_id: MessageId) -> Content:
    """The answer to a request, the first if there are several. Raises ValueError if there is none."""
    for content in messages_in(body, media_type):
        if answers(content, message_id):
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
