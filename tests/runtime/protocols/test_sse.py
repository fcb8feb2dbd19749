"""Server-sent events: frames, comments in silence, and clean ends."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from slipway_runtime.events import Delta, Done, EventId, NumberedEvent, read
from slipway_runtime.protocols.sse import PING, frame, stream

RUN = "a" * 32
TEXT = NumberedEvent(EventId(RUN, 2, 7), Delta(text="line\nbreaks\r\n and 漢字\u2028"))
DONE = NumberedEvent(EventId(RUN, 2, 8), Done(answer="x", finish="stop", sources=()))


class Events:
    """A stream of events that knows whether it was closed."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[NumberedEvent] = asyncio.Queue()
        self.closed = False

    async def __call__(self) -> AsyncGenerator[NumberedEvent]:
        try:
            while True:
                yield await self.queue.get()
        finally:
            self.closed = True


@pytest.fixture
async def events() -> Events:
    return Events()


def test_a_frame_has_id_type_and_one_line_of_json() -> None:
    lines = frame(TEXT).decode().split("\n")
    assert lines[0] == f"id: {RUN}.2.7"
    assert lines[1] == "event: delta"
    assert read(json.loads(lines[2].removeprefix("data: "))) == TEXT.event
    assert lines[3:] == ["", ""]


async def test_it_ends_after_the_last_event(events: Events) -> None:
    for event in (TEXT, DONE, TEXT):
        events.queue.put_nowait(event)
    assert [piece async for piece in stream(events())] == [frame(TEXT), frame(DONE)]
    assert events.closed


async def test_silence_is_filled_with_comments(events: Events) -> None:
    pieces = stream(events(), ping=0.01)
    assert [await anext(pieces) for _ in range(2)] == [PING, PING]
    events.queue.put_nowait(DONE)
    assert [piece async for piece in pieces if piece != PING] == [frame(DONE)]


async def test_a_client_that_goes_away_in_silence_closes_the_events(events: Events) -> None:
    pieces = stream(events(), ping=0.01)
    assert await anext(pieces) == PING
    await pieces.aclose()
    assert events.closed


async def test_a_client_that_is_cancelled_while_it_waits_closes_the_events(events: Events) -> None:
    events.queue.put_nowait(TEXT)
    seen = asyncio.Event()

    async def client() -> None:
        async for _ in stream(events()):
            seen.set()

    task = asyncio.create_task(client())
    await seen.wait()
    task.cancel()
    await asyncio.wait({task})
    assert events.closed


async def test_a_failure_of_the_events_comes_through(events: Events) -> None:
    async def failing() -> AsyncGenerator[NumberedEvent]:
        yield TEXT
        raise KeyError("x")

    pieces = stream(failing())
    assert await anext(pieces) == frame(TEXT)
    with pytest.raises(KeyError):
        await anext(pieces)
