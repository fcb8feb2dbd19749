"""Asking hosts from within the gateway: a run's events as a generator, and other answers as JSON data.

Protocols whose messages are not made of bytes as they come use this in place of a renderer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from anyio import create_memory_object_stream
from anyio.streams.memory import MemoryObjectSendStream

from slipway_runtime.events import Event, read
from slipway_runtime.gateway import answers
from slipway_runtime.gateway.relay import Relay, Reply
from slipway_runtime.gateway.upstream import UpstreamRequest, Upstreams
from slipway_runtime.problems import Problem
from slipway_runtime.protocols import sse

QUEUED = 64
"""Events that may wait for a slow client. A run that is ahead is not read any further."""


@dataclass
class Kept:
    """A response that is kept instead of being sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]

    def data(self) -> Any:
        """The JSON data; None for an answer without a body. Raises Problem for a refusal."""
        if self.status >= 400:
            raise answers.problem(bytes(self.body), self.headers)
        return orjson.loads(bytes(self.body)) if self.body else None


async def fetch(upstreams: Upstreams, call: UpstreamRequest, *, run: str = "") -> Any:
    """What a host answers, as JSON data; None for an answer without a body.

    Raises:
        Problem: what the host refuses with, or why no host answered.
    """
    kept = Kept()
    await Relay(call=call, run=run, upstreams=upstreams, reply=Reply(kept.send)).go()
    return kept.data()


class _Channel:
    """An `EventSink` whose events are taken at the other end."""

    def __init__(self, reply: Reply, channel: MemoryObjectSendStream[Event], until: Callable[[Event], bool]) -> None:
        self.over = False
        self._reply = reply
        self._channel = channel
        self._until = until

    async def begin(self) -> None:
        if not self._reply.status:
            await self._reply.start(200, {})  # from now on, the run is picked up where a pod breaks off

    async def take(self, frames: bytes) -> None:
        for _, data in sse.read_frames(frames):
            event = read(orjson.loads(data))
            await self._channel.send(event)
            self.over = self.over or self._until(event)

    async def end(self, *, finished: bool) -> bool:
        return finished

    async def fail(self, problem: Problem) -> None:
        raise problem


async def follow(
    upstreams: Upstreams, call: UpstreamRequest, *, run: str, until: Callable[[Event], bool] = lambda _: False
) -> AsyncGenerator[Event]:
    """The events of a run, whichever pods it takes, until its last one. Close it to stop following.

    Args:
        until: whether an event is the last one that is needed, though the run may go on.

    Raises:
        Problem: what the host refuses with, or why the run cannot be followed any further.
    """
    entry, out = create_memory_object_stream[Event](QUEUED)
    reply = Reply(Kept().send)
    sink = _Channel(reply, entry, until)
    relay = Relay(call=call, run=run, upstreams=upstreams, reply=reply, output=sink, refusals_as_they_are=False)

    async def relayed() -> None:
        with entry:
            await relay.go()

    relaying = asyncio.create_task(relayed())
    try:
        with out:
            async for event in out:
                yield event
        await relaying
    finally:
        relaying.cancel()
        await asyncio.wait({relaying})
