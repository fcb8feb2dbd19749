"""What a client makes of an answer that comes as server-sent events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp

from slipway_runtime.events import EVENT, Delta, Done, Event, EventId, Restarted

STREAM = {"Accept": "text/event-stream"}


@dataclass
class Transcript:
    """The events of a stream in the order they came."""

    events: list[tuple[EventId, Event]] = field(default_factory=list)

    @property
    def ids(self) -> list[EventId]:
        return [number for number, _ in self.events]

    @property
    def last(self) -> Event:
        return self.events[-1][1]

    @property
    def restarts(self) -> int:
        return sum(isinstance(event, Restarted) for _, event in self.events)

    @property
    def text(self) -> str:
        """The answer as a client has it that heeds `restarted`."""
        kept: list[tuple[EventId, str]] = []
        for number, event in self.events:
            if isinstance(event, Restarted):
                kept = [
                    (place, text)
                    for place, text in kept
                    if place.attempt < number.attempt - 1 or place.seq < event.discard_from
                ]
            elif isinstance(event, Delta):
                kept.append((number, event.text))
        return "".join(text for _, text in kept)

    def assert_whole(self, answer: str) -> None:
        """Every event once and in order, and at the end the whole answer, once."""
        assert self.ids == sorted(set(self.ids), key=lambda number: (number.attempt, number.seq)), self.ids
        assert isinstance(self.last, Done), self.last
        assert sum(isinstance(event, Done) for _, event in self.events) == 1
        assert self.last.answer == answer
        assert self.text == answer


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[EventId, Event]]:
    """The events of a response, as they come."""
    number: EventId | None = None
    async for line in response.content:
        if line.startswith(b"id: "):
            number = EventId.parse(line[4:].decode().strip())
        elif line.startswith(b"data: "):
            assert number is not None, line
            yield number, EVENT.validate_json(line[6:])
            number = None


async def transcribe(response: aiohttp.ClientResponse) -> Transcript:
    """All events until the response ends."""
    assert response.status == 200, await response.text()
    assert response.content_type == "text/event-stream"
    return Transcript([each async for each in events(response)])
