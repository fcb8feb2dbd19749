"""Events that another version wrote, as bytes of a stream and as JSON."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from slipway_runtime.events import Json
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.headers import RUN_HEADER

GOLDEN = Path(__file__).parents[1] / "runtime" / "golden"
STEPLESS, STEPS = "e586ab3", "afa45d8"
"""The commits whose events are kept: the last one without steps, and one of those with them."""
FORMER = {
    f"{file.stem} by {commit}": file.read_bytes()
    for commit in (STEPLESS, STEPS)
    for file in sorted((GOLDEN / f"events-of-{commit}").glob("*.sse"))
}
"""Streams of former versions, by what became of the run. All ids of a stream begin with the same letter 32 times."""


def by_each(*fates: str) -> list[str]:
    """The streams of runs of these fates, by every commit that has them."""
    return [name for name in FORMER if name.partition(" ")[0] in fates]


RUN = "f" * 32
NEWER = (
    b'id: %(run)s.1.1\nevent: started\ndata: {"type":"started","agent":"demo/support","mood":"good"}\n\n'
    b'id: %(run)s.1.2\nevent: thought\ndata: {"type":"thought","step":"a","text":"Hm.","depth":{"of":3}}\n\n'
    b'id: %(run)s.1.3\nevent: delta\ndata: {"type":"delta","step":"a","text":"So.","tone":"calm"}\n\n'
    b"id: %(run)s.1.4\nevent: done\n"
    b'data: {"type":"done","answer":"So.","finish":"stop","sources":[],"mood":{"end":"good"}}\n\n'
) % {b"run": RUN.encode()}
"""A stream of a newer version: a type that this one does not know, and unknown fields of types that it does."""


def with_run(stream: bytes, run: str) -> bytes:
    """The same stream of another run."""
    return stream.replace(stream[4:36], run.encode())


def written(stream: bytes) -> list[tuple[int, Json]]:
    """The attempt of each event, and its JSON."""
    return [(int(place.split(".")[1]), orjson.loads(data)) for place, _, data in sse.read_numbered(stream)]


def pod(stream: bytes) -> Starlette:
    """A stand-in for a host of that version: it answers everything with this stream."""

    async def answer(request: Request) -> Response:
        run = request.headers.get(RUN_HEADER) or request.url.path.rpartition("/")[2]

        async def body() -> AsyncIterator[bytes]:
            yield with_run(stream, run)

        return StreamingResponse(body(), media_type=sse.MEDIA_TYPE)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
