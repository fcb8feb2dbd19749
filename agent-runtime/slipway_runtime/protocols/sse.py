"""Server-sent events: how numbered events are written to a stream, and where a client wants to go on.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing

import orjson
from starlette.requests import Request

from slipway_runtime.events import EventId, NumberedEvent, ends
from slipway_runtime.problems import Problem, Reason

MEDIA_TYPE = "text/event-stream"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""No cache keeps it, and no proxy in front gathers it up."""
PING_SECONDS = 15.0
"""A comment is sent after this much silence, so that proxies on the way keep the connection."""
PING = b": ping\n\n"


def frame(numbered: NumberedEvent) -> bytes:
    """One event as it goes over the wire. JSON has no raw line breaks, so one `data` line holds it."""
    data = orjson.dumps(dict(numbered.json))
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(numbered.id).encode(), numbered.event.type.encode(), data)


def read_frames(frames: bytes) -> Iterator[tuple[str, bytes]]:
    """The type and the data of each event in whole frames as `frame` writes them; comments are passed over."""
    for _, kind, data in read_numbered(frames):
        yield kind, data


def read_numbered(frames: bytes) -> Iterator[tuple[str, str, bytes]]:
    """The same with the id of each event in front."""
    for block in frames.split(b"\n\n"):
        number, kind, data = "", "", b""
        for line in block.split(b"\n"):
            if line.startswith(b"event: "):
                kind = line[7:].decode()
            elif line.startswith(b"data: "):
                data = line[6:]
            elif line.startswith(b"id: "):
                number = line[4:].decode()
        if data:
            yield number, kind, data


async def stream(events: AsyncGenerator[NumberedEvent], *, ping: float = PING_SECONDS) -> AsyncGenerator[bytes]:
    """Frames for events until the last one, with a comment after every `ping` seconds of silence.

    However it ends, `events` is closed.
    """

    async def frames() -> AsyncGenerator[bytes]:
        async with aclosing(events):
            async for numbered in events:
                yield frame(numbered)
                if ends(numbered.event):
                    return

    async with aclosing(with_pings(frames(), ping=ping)) as pieces:
        async for piece in pieces:
            yield piece


async def with_pings(pieces: AsyncGenerator[bytes], *, ping: float = PING_SECONDS) -> AsyncGenerator[bytes]:
    """Pieces of a stream as they come, with a comment after every `ping` seconds of silence.

    However it ends, `pieces` is closed.
    """
    coming: asyncio.Future[bytes | None] | None = None
    async with aclosing(pieces):
        try:
            while True:
                coming = asyncio.ensure_future(anext(pieces, None))
                while not (await asyncio.wait({coming}, timeout=ping))[0]:
                    yield PING
                piece = coming.result()
                if piece is None:
                    return
                yield piece
        finally:
            if coming and not coming.done():
                coming.cancel()
                await asyncio.wait({coming})


async def in_one(events: AsyncGenerator[NumberedEvent], *, ping: float = PING_SECONDS) -> AsyncGenerator[bytes]:
    """All frames as one piece at their end, and pings meanwhile: for a reader who only needs the end.

    However it ends, `events` is closed.
    """

    async def whole() -> bytes:
        async with aclosing(events):
            return b"".join([frame(event) async for event in events])

    reading = asyncio.create_task(whole())
    try:
        while not (await asyncio.wait({reading}, timeout=ping))[0]:
            yield PING
        if frames := reading.result():
            yield frames
    finally:
        reading.cancel()
        await asyncio.wait({reading})


def last_event_id(request: Request, run_id: str) -> EventId | None:
    """Where the client wants to go on; None for the beginning.

    Raises:
        Problem: `InvalidRequest` if the header is not an id of this run.
    """
    header = request.headers.get("last-event-id")
    if not header:
        return None
    try:
        last = EventId.parse(header)
    except ValueError:
        raise _not_an_event() from None
    if last.run != run_id or not (0 <= last.attempt < 2**31 and 0 <= last.seq < 2**31):
        raise _not_an_event()
    return last


def known(last: EventId | None, events: Sequence[NumberedEvent]) -> None:
    """See that an event which a client says it had is one of the run's: each is stored before it is sent.

    Raises:
        Problem: `InvalidRequest`. Nothing would ever follow an event that never was.
    """
    if last is not None and last not in {event.id for event in events}:
        raise _not_an_event()


def is_over(last: EventId | None, events: Sequence[NumberedEvent]) -> bool:
    """Whether a client that had the event `last` has had the run's last event, so that nothing will ever follow."""
    return bool(events) and last == events[-1].id and ends(events[-1].event)


def _not_an_event() -> Problem:
    return Problem(
        Reason.INVALID_REQUEST,
        "Last-Event-ID must be the id of an event of this run, as RUN.ATTEMPT.NUMBER; leave it out to read all.",
    )
