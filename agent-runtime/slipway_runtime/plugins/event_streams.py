"""Streams of events, as servers of MCP answer with them: cut into events, whatever pieces they come in."""

import json
from typing import Any

Content = dict[str, Any]
EVENT_BYTES = 4 * 1024 * 1024
"""Of one event."""


class TooLong(ValueError):
    """An answer, or an event of a stream, is longer than anything is read. The text ends "a server sent ..."."""


class EventReader:
    """Cuts a stream into events. Line breaks may be those of any system. Each byte is looked at once.

    Args:
        longest: bytes of one event.
    """

    def __init__(self, *, longest: int = EVENT_BYTES) -> None:
        self._longest = longest
        self._line = bytearray()
        self._event = bytearray()
        self._returned = False
        """Whether the last piece ended with a carriage return, which a line feed may belong to."""

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that are whole now, each without the empty line after it.

        Raises:
            TooLong: for a longer event that is not whole yet.
        """
        if self._returned and piece.startswith(b"\n"):
            piece = piece[1:]
            self._returned = False
        if piece:
            self._returned = piece.endswith(b"\r")
        events: list[bytes] = []
        first, *others = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._line += first
        for other in others:
            self._end_line(events)
            self._line += other
        if len(self._event) + len(self._line) > self._longest:
            raise TooLong(f"an event of more than {self._longest // 2**20} MiB")
        return events

    def end(self) -> list[bytes]:
        """What is left at the end of the stream. The specification drops it; servers forget the last empty line."""
        events: list[bytes] = []
        self._end_line(events)
        self._end_line(events)
        return events

    def _end_line(self, events: list[bytes]) -> None:
        if self._line:
            self._event += (b"\n" if self._event else b"") + self._line
            self._line.clear()
        elif self._event:
            events.append(bytes(self._event))
            self._event.clear()


def data_of(event: bytes) -> Content | None:
    """The message in an event; None if there is none. Raises ValueError for one that is no JSON object."""
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    text = b"\n".join(lines)
    return loads(text) if text.strip() else None


def loads(text: bytes) -> Content:
    """A message of a server. Raises ValueError if it is no JSON object."""
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    if not isinstance(content, dict):
        raise ValueError("JSON that is no object")
    return content
