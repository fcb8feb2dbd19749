"""The contract of a wire protocol at the gateway: a request in, an answer out, and the run's events in between.

A skin parses requests into an `Ask`. What comes back from a host is one stream of numbered events; the skin makes of it
either a stream of its own, or one answer at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from slipway_runtime.problems import Problem
from slipway_runtime.protocols.ask import Ask

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class StreamRenderer(Protocol):
    """Makes a stream of a run's events, as they come."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the response, whose status is 200."""
        ...

    @property
    def over(self) -> bool:
        """Whether the client has all there is for it, though the run may go on."""
        ...

    @property
    def cancels(self) -> bool:
        """Whether the run is to be cancelled once `over`: its client has no use for what is left of it."""
        ...

    def feed(self, frames: bytes) -> bytes:
        """What goes to the client now.

        Args:
            frames: whole server-sent events as the host wrote them, or comments.

        Raises:
            ValueError: for an event that no host writes.
        """
        ...

    def failed(self, problem: Problem) -> bytes:
        """The last words of a stream that cannot go on."""
        ...


class AnswerRenderer(Protocol):
    """Makes one answer of a run's events, at their end."""

    def feed(self, frames: bytes) -> None:
        """Take whole server-sent events as the host wrote them. Raises ValueError for one that no host writes."""
        ...

    def answer(self) -> Answer | None:
        """The answer, once the host's stream has ended; None if the stream ended too early, and goes on elsewhere.

        Raises:
            Problem: if the run failed.
        """
        ...


Renderer = StreamRenderer | AnswerRenderer


class Skin(Protocol):
    """A wire protocol."""

    def parse(self, body: bytes, headers: Headers) -> Ask:
        """What the client asks. Raises Problem."""
        ...

    def stream(self) -> StreamRenderer:
        """For a client that wants the answer as it comes."""
        ...

    def whole(self, run_id: str) -> AnswerRenderer:
        """For a client that waits for the end."""
        ...

    def problem(self, problem: Problem) -> Answer:
        """An answer that says what went wrong."""
        ...
