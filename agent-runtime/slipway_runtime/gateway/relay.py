"""Passing an answer on to the client, and picking it up elsewhere when the pod behind it dies.

Event streams are passed on in whole events, byte for byte; the id of the last one passed is what a new pod is asked to
go on from. A JSON answer is read whole before its first byte is sent, so a broken one can simply be asked for again:
the run id makes that the same run.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from slipway_runtime.events import Failed
from slipway_runtime.gateway.metrics import REATTACHED
from slipway_runtime.gateway.routes import Endpoint
from slipway_runtime.gateway.upstream import BROKEN_LIMIT, Broken, Call, Refusal, Refused, TooManyBroke, Upstreams
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.sse import MEDIA_TYPE

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)

REFUSED_PAUSE_SECONDS = 1.0
_PASSED_ON = ("content-type", "cache-control", "retry-after")
_TERMINAL = (b"event: done\n", b"event: failed\n", b"event: cancelled\n")


class Reply:
    """The client's side of one request: knows whether anything was sent, and what status.

    `last` asks the client to close the connection, because this gateway is going away.
    """

    def __init__(self, send: Send, *, last: bool = False) -> None:
        self._send = send
        self._last = last
        self.status = 0

    async def start(self, status: int, headers: Mapping[str, str], extra: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Send the status and those headers that concern the client."""
        self.status = status
        passed = [(name.encode(), headers[name].encode("latin-1")) for name in _PASSED_ON if name in headers]
        closing = [(b"connection", b"close")] if self._last else []
        await self._send({"type": "http.response.start", "status": status, "headers": [*passed, *extra, *closing]})

    async def body(self, data: bytes, *, more: bool = False) -> None:
        """Send a piece of the body, or its end."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def whole(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        """Send a response that is at hand as a whole."""
        if status == 204:  # has neither a body nor its length (RFC 9110, 8.6)
            await self.start(status, headers)
        else:
            await self.start(status, headers, ((b"content-length", str(len(data)).encode()),))
        await self.body(data)


@dataclass(slots=True)
class Events:
    """Cuts the bytes of an event stream into whole events and remembers where the client stands."""

    last_id: str = ""
    finished: bool = False
    _rest: bytes = b""

    def feed(self, chunk: bytes) -> bytes:
        """The whole events that are there now; a half one is kept for the next call."""
        data = self._rest + chunk
        cut = data.rfind(b"\n\n") + 2
        if cut < 2:
            self._rest = data
            return b""
        whole, self._rest = data[:cut], data[cut:]
        self._note(whole)
        return whole

    def forget_rest(self) -> None:
        """Drop half an event: its pod is gone, and the next one sends it again."""
        self._rest = b""

    def _note(self, whole: bytes) -> None:
        # Data is JSON on one line, so these words stand at the start of a line only where they are fields.
        last = whole.rfind(b"\nid: ") + 1
        if whole.startswith(b"id: ", last):
            self.last_id = whole[last + 4 : whole.index(b"\n", last)].decode("latin-1")
        if any(mark in whole for mark in _TERMINAL):
            self.finished = True


@dataclass
class Relay:
    """One call being carried out and its answer carried back."""

    call: Call
    run: str
    """The run's id, under which the answer can be picked up from any pod."""
    upstreams: Upstreams
    reply: Reply
    events: Events = field(default_factory=Events)
    _moved: float = field(default_factory=time.monotonic)

    async def go(self) -> None:
        """Return when the client has the whole answer, or has been told why there is none.

        Raises:
            Problem: when there is none and nothing was sent to the client yet.
        """
        try:
            await self._until_whole()
        except TooManyBroke:
            await self._give_up(
                Problem(Reason.NO_POD_READY, f"pods of agent {self.call.agent} keep breaking off: look at their logs")
            )
        except Problem as problem:
            await self._give_up(problem)

    async def _until_whole(self) -> None:
        broke: Endpoint | None = None
        broken = 0
        while broken < BROKEN_LIMIT:
            position = self.events.last_id
            try:
                async with self.upstreams.open(self._next_call(), avoid=broke) as (response, endpoint):
                    broke = endpoint
                    if await self._pass_on(response):
                        return
                broken += response.status == 200  # ended without an end
            except Broken as error:
                broken += 1
                log.info("answer broke off", extra={"agent": str(self.call.agent), "cause": type(error).__name__})
            except Refused as refused:
                if await self._refused(refused.refusal):
                    return
            REATTACHED.inc()
            if self.events.last_id != position:
                broken = 0
        raise TooManyBroke

    def _next_call(self) -> Call:
        """The call as it came, until events have reached the client; from then on, the rest of the run."""
        if not self.events.last_id:
            return self.call
        return resumption(self.call, run=self.run, last_id=self.events.last_id)

    async def _pass_on(self, response: aiohttp.ClientResponse) -> bool:
        """Whether the client has all there is to have now."""
        if response.status == 200 and response.content_type == MEDIA_TYPE:
            return await self._stream(response)
        if not self.reply.status:
            await _whole(response, self.reply)
            return True
        return await self._refused(Refusal(response.status, response.headers, await response.read()))

    async def _stream(self, response: aiohttp.ClientResponse) -> bool:
        if not self.reply.status:
            await self.reply.start(200, response.headers, ((b"x-accel-buffering", b"no"),))
        self.events.forget_rest()
        async for chunk in response.content.iter_any():
            if whole := self.events.feed(chunk):
                self._moved = time.monotonic()
                await self.reply.body(whole, more=True)
            if self.events.finished:
                break  # how the connection ends after the last event does not matter
        if self.events.finished:
            await self.reply.body(b"")
        return self.events.finished

    async def _refused(self, refusal: Refusal) -> bool:
        """Pass the pods' refusal on, which ends the call; in the middle of a stream wait instead, since it may pass."""
        if not self.reply.status:
            await self.reply.whole(refusal.status, refusal.headers, refusal.body)
            return True
        if refusal.status not in (429, 503):
            raise Problem(Reason.INTERNAL_ERROR, f"the run could not be picked up: a pod answered {refusal.status}")
        if time.monotonic() - self._moved > self.upstreams.hold_seconds:
            raise Problem(Reason.NO_POD_READY, "the run could not be picked up: the pods are full or lack the store")
        await asyncio.sleep(REFUSED_PAUSE_SECONDS)
        return False

    async def _give_up(self, problem: Problem) -> None:
        if not self.reply.status:
            raise problem
        where = f"the run may still end: GET /agents/{self.call.agent}/runs/{self.run}"
        failed = Failed(reason=problem.reason, message=f"{problem.detail} ({where})")
        await self.reply.body(b"event: failed\ndata: " + failed.model_dump_json().encode() + b"\n\n")


def resumption(call: Call, *, run: str, last_id: str) -> Call:
    """What asks a pod for the events of a run that come after one of them."""
    kept = {name: value for name, value in call.headers.items() if name != "Content-Type"}
    return replace(
        call,
        method="GET",
        path=f"/agents/{call.agent}/runs/{run}",
        headers={**kept, "Accept": MEDIA_TYPE, "Last-Event-ID": last_id},
        body=None,
        stream=True,
    )


async def _whole(response: aiohttp.ClientResponse, reply: Reply) -> None:
    data = await response.read()
    if response.status == 401:
        # The caller was let in here, so this is about the gateway's own key, which no caller can mend.
        raise Problem(
            Reason.INTERNAL_ERROR,
            "the agent's pod does not accept this gateway's identity: see whether the operator runs, which gives hosts "
            "the gateway's public key in the ConfigMap slipway-identity of the agent's namespace",
        )
    await reply.whole(response.status, response.headers, data)
