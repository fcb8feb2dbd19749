"""What a client makes of an answer that comes as server-sent events."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp

from slipway_runtime.events import Done, Event, EventId, Restarted, read
from slipway_runtime.protocols import transcript

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
        gathered = transcript.Transcript()
        for _, event in self.events:
            gathered.add(event)
        return gathered.text

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
            yield number, read(json.loads(line[6:]))
            number = None


async def transcribe(response: aiohttp.ClientResponse) -> Transcript:
    """All events until the response ends."""
    assert response.status == 200, await response.text()
    assert response.content_type == "text/event-stream"
    return Transcript([each async for each in events(response)])
