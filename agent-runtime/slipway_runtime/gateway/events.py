"""Cutting the bytes of a pod's event stream into whole events, in time that is linear in their number."""

import re
from dataclasses import dataclass, field

from slipway_runtime.events import TERMINAL
from slipway_runtime.responses import InvalidAnswer

EVENT_BYTES = 1024 * 1024
"""Bytes in one event."""
STREAM_BYTES = 64 * 1024 * 1024
"""Bytes in all events of one answer."""
OWN_BYTES = 64 * 1024
"""What each stream may keep of an event that is not complete. What it keeps beyond comes out of what all share."""
SHARED_BYTES = 64 * 1024 * 1024
_TERMINAL = tuple(f"event: {kind}\n".encode() for kind in sorted(TERMINAL))
_IDS = re.compile(rb"\n(?:\xef\xbb\xbf)?id([:\n][^\n]*)")
"""Every line that a client takes for an id, also one without a value or after a byte order mark."""
_ID = re.compile(rb": (([0-9a-f]{32})\.[0-9]{1,10}\.[0-9]{1,10})")


@dataclass(slots=True)
class Shared:
    """Memory that all streams have in common for long events, so that their number does not multiply the limit."""

    left: int = SHARED_BYTES


@dataclass(slots=True)
class Events:
    """Cuts a stream into whole events and remembers where the client stands.

    Args:
        run: the run's id, with which the id of every event begins.
    """

    run: str
    shared: Shared = field(default_factory=Shared)
    last_id: str = ""
    finished: bool = False
    _rest: bytearray = field(default_factory=bytearray)
    _taken: int = 0
    _size: int = 0

    def feed(self, chunk: bytes) -> bytes:
        """The whole events that are there now; a half one is kept for the next call.

        Raises:
            InvalidAnswer: if an event is too long, has the id of another run or has a carriage return.
        """
        self._size += len(chunk)
        if self._size > STREAM_BYTES:
            raise InvalidAnswer(f"a stream of more than {STREAM_BYTES} bytes")
        if b"\r" in chunk:  # ends a line for the client, and not here
            raise InvalidAnswer("a carriage return in a stream")
        searched = max(0, len(self._rest) - 1)
        self._rest += chunk
        cut = self._rest.rfind(b"\n\n", searched) + 2
        whole = bytes(self._rest[:cut]) if cut >= 2 else b""
        del self._rest[: len(whole)]
        self._account()
        if whole:
            self._note(whole)
        return whole

    def forget_rest(self) -> None:
        """Drop half an event: its pod is gone, and the next one sends it again."""
        self._rest.clear()
        self._account()

    def _account(self) -> None:
        """Take what is kept beyond the stream's own part from the shared one, or give it back."""
        if len(self._rest) > EVENT_BYTES:
            raise InvalidAnswer(f"an event of more than {EVENT_BYTES} bytes")
        beyond = max(0, len(self._rest) - OWN_BYTES) - self._taken
        if beyond > self.shared.left:
            raise InvalidAnswer("a long event while other streams have long ones too")
        self.shared.left -= beyond
        self._taken += beyond

    def _note(self, whole: bytes) -> None:
        # Data is JSON on one line, so these words are at the start of a line only where they are fields.
        for line in _IDS.finditer(b"\n" + whole):
            found = _ID.fullmatch(line[1])
            if found is None or found[2].decode() != self.run:  # it goes into a header of the request to the next pod
                raise InvalidAnswer("an event of another run")
            self.last_id = found[1].decode()
        if any(mark in whole for mark in _TERMINAL):
            self.finished = True
