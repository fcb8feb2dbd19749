"""Passing an answer on to the client, and picking it up elsewhere when the pod behind it dies.

A run comes from its pod as a stream of events, of which a skin makes what its client gets. The id of the last event
that was taken is what a new pod is asked to go on from. Other answers are JSON, which is read whole before its first
byte is sent, so that a broken one can be asked for again. Only one above 64 KiB is passed on as it comes.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from slipway_runtime import retrying
from slipway_runtime.gateway import answers
from slipway_runtime.gateway.answers import passed_on
from slipway_runtime.gateway.events import Events
from slipway_runtime.gateway.metrics import REATTACHED
from slipway_runtime.gateway.routes import PodEndpoint
from slipway_runtime.gateway.upstream import (
    BROKEN_LIMIT,
    SILENCE_SECONDS,
    Broken,
    Refusal,
    Refused,
    TooManyBroke,
    UpstreamRequest,
    Upstreams,
)
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.skin import AnswerRenderer, StreamRenderer
from slipway_runtime.protocols.sse import MEDIA_TYPE
from slipway_runtime.responses import InvalidAnswer, PodResponse

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)


END_SECONDS = 0.1
"""How long the end of a stream is waited for after its last event. The client has its answer by then."""


class CutOff(Exception):
    """An answer broke off after its beginning had been sent, and cannot be picked up: the connection must close."""


class Reply:
    """The client's side of one request: knows whether anything was sent, and what status.

    `last` asks the client to close the connection, because this gateway is shutting down.
    """

    def __init__(self, send: Send, *, last: bool = False) -> None:
        self._send = send
        self._last = last
        self.status = 0
        self.begun = False
        """Whether the client was sent anything. The status may be known before."""
        self.ended = False
        """Whether the client was sent everything. Who closes the connection then has not left early."""

    async def start(self, status: int, headers: Mapping[str, str], extra: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Send the status and the headers."""
        self.status, self.begun = status, True
        passed = [(name.encode(), value.encode()) for name, value in headers.items()]
        closing = [(b"connection", b"close")] if self._last else []
        await self._send({"type": "http.response.start", "status": status, "headers": [*passed, *extra, *closing]})

    async def body(self, data: bytes, *, more: bool = False) -> None:
        """Send a piece of the body, or its end."""
        self.ended = not more
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def left(self) -> None:
        """Take note that the client closed the connection."""
        if not self.ended:
            self.status = 499

    async def whole(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        """Send a response that is at hand as a whole."""
        if status == 204:  # has neither a body nor its length (RFC 9110, 8.6)
            await self.start(status, headers)
        else:
            await self.start(status, headers, ((b"content-length", str(len(data)).encode()),))
        await self.body(data)


class EventSink(Protocol):
    """Where the events of a run go."""

    async def begin(self) -> None:
        """A pod gives the run's events."""
        ...

    async def take(self, frames: bytes) -> None:
        """Whole events. Raises ValueError for one that no host writes."""
        ...

    @property
    def over(self) -> bool:
        """Whether the client has all there is for it, though the run may go on."""
        ...

    async def end(self, *, finished: bool) -> bool:
        """The pod's stream is over. Whether the client has all there is; if not, it goes on from another pod."""
        ...

    async def fail(self, problem: Problem) -> None:
        """The run cannot be followed any further, and a part of it was sent."""
        ...


class AsItComes:
    """A stream for the client."""

    def __init__(self, reply: Reply, renderer: StreamRenderer) -> None:
        self._reply = reply
        self._renderer = renderer

    async def begin(self) -> None:
        if not self._reply.status:
            await self._reply.start(200, self._renderer.headers)

    async def take(self, frames: bytes) -> None:
        if piece := self._renderer.feed(frames):
            await self._reply.body(piece, more=True)

    @property
    def over(self) -> bool:
        return self._renderer.over

    async def end(self, *, finished: bool) -> bool:
        if finished:
            await self._reply.body(b"")
        return finished

    async def fail(self, problem: Problem) -> None:
        await self._reply.body(self._renderer.failed(problem))


class AtTheEnd:
    """One answer, made of all events. Nothing is sent before."""

    over = False

    def __init__(self, reply: Reply, renderer: AnswerRenderer) -> None:
        self._reply = reply
        self._renderer = renderer

    async def begin(self) -> None:
        return

    async def take(self, frames: bytes) -> None:
        self._renderer.feed(frames)

    async def end(self, *, finished: bool) -> bool:
        answer = self._renderer.answer()
        if answer is not None:
            await self._reply.whole(answer.status, answer.headers, answer.body)
        return answer is not None

    async def fail(self, problem: Problem) -> None:
        raise CutOff from problem


@dataclass
class Relay:
    """One call being carried out and its answer carried back."""

    call: UpstreamRequest
    run: str
    """The run's id, under which the answer can be picked up from any pod."""
    upstreams: Upstreams
    reply: Reply
    output: EventSink | None = None
    """Where events go; None for a call that is answered with JSON."""
    refusals_as_they_are: bool = True
    """Whether the client gets a host's own words where it refuses. If not, they are raised as a Problem."""
    _moved: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.events = Events(self.run, self.upstreams.shared)

    async def go(self) -> None:
        """Return when the client has the whole answer, or the reason why there is none.

        Raises:
            Problem: when there is none and nothing was sent to the client yet.
            CutOff: when only a part was sent.
        """
        try:
            async with asyncio.timeout(self.call.seconds):
                await self._until_whole()
        except TooManyBroke as error:
            await self._give_up(error.problem(self.call.agent))
        except TimeoutError:
            problem = Problem(Reason.REQUEST_TIMEOUT, f"agent {self.call.agent} did not answer in time: ask again")
            await self._give_up(problem)
        except Problem as problem:
            await self._give_up(problem)
        finally:
            self.events.forget_rest()

    async def _until_whole(self) -> None:
        broke: PodEndpoint | None = None
        broken = 0
        cause: Exception | None = None
        while broken < BROKEN_LIMIT:
            position = self.events.last_id
            try:
                async with self.upstreams.open(self._next_call(), avoid=broke) as (response, endpoint):
                    broke = endpoint
                    if await self._pass_on(response):
                        return
                if response.status == 200:  # ended without an end
                    broken, cause = broken + 1, None
            except Broken as error:
                broken, cause = broken + 1, error
                log.info("answer broke off", extra={"agent": str(self.call.agent), "cause": type(error).__name__})
            except Refused as refused:
                if await self._refused(refused.refusal):
                    return
            REATTACHED.inc()
            if self.events.last_id != position:
                broken = 0
        raise TooManyBroke from cause

    def _next_call(self) -> UpstreamRequest:
        """The call as it came, until events have reached the client; from then on, the rest of the run."""
        if not self.events.last_id:
            return self.call
        return resumption(self.call, run=self.run, last_id=self.events.last_id)

    async def _pass_on(self, response: PodResponse) -> bool:
        """Whether the client has all there is to have now."""
        if response.status == 200 and self.output is not None:
            return await self._stream(response, self.output)
        if not self.reply.status:
            await self._whole(response)
            return True
        return await self._refused(Refusal(response.status, {}, b""))

    async def _stream(self, response: PodResponse, output: EventSink) -> bool:
        await output.begin()
        self.events.forget_rest()
        while not (self.events.finished or output.over):  # how the connection ends after the last event does not matter
            whole = await self._next_events(response)
            if not whole:
                break
            self._moved = time.monotonic()
            try:
                await output.take(whole)
            except ValueError:
                raise InvalidAnswer("an event that no host writes") from None
        whole_answer = await output.end(finished=self.events.finished or output.over)
        if self.events.finished:
            await _read_end(response)
        return whole_answer

    async def _next_events(self, response: PodResponse) -> bytes:
        """The whole events that come next, or comments; nothing at the end."""
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                while chunk := await response.some():
                    if whole := self.events.feed(chunk):
                        return whole
        except TimeoutError:
            raise InvalidAnswer(f"no whole event for {SILENCE_SECONDS:g} s") from None
        return b""

    async def _whole(self, response: PodResponse) -> None:
        if response.status != 200:
            data = await answers.whole(response)
            if response.status == 401:
                raise _identity_refused()
            await self._refuse(Refusal(response.status, passed_on(response, stream=self.call.stream), data))
            return
        rest, held = answers.pieces(response, limit=answers.ANSWER_BYTES), bytearray()
        async for piece in rest:
            held += piece
            if len(held) > answers.HELD_BYTES:
                await self._as_it_comes(response, bytes(held), rest)
                return
        await self.reply.whole(200, passed_on(response, stream=self.call.stream), bytes(held))

    async def _as_it_comes(self, response: PodResponse, held: bytes, rest: AsyncIterator[bytes]) -> None:
        await self.reply.start(200, passed_on(response, stream=self.call.stream))
        await self.reply.body(held, more=True)
        try:
            async for piece in rest:
                await self.reply.body(piece, more=True)
        except Broken as error:
            raise CutOff from error
        await self.reply.body(b"")

    async def _refused(self, refusal: Refusal) -> bool:
        """Pass the pods' refusal on, which ends the call; in the middle of a stream wait instead, since it may pass."""
        if not self.reply.status:
            await self._refuse(refusal)
            return True
        if refusal.status not in (429, 503):
            raise Problem(Reason.INTERNAL_ERROR, f"the run could not be picked up: a pod answered {refusal.status}")
        if time.monotonic() - self._moved > self.upstreams.hold_seconds:
            raise Problem(Reason.NO_POD_READY, "the run could not be picked up: the pods are full or lack the store")
        await asyncio.sleep(retrying.delay(retrying.REFUSED))
        return False

    async def _refuse(self, refusal: Refusal) -> None:
        if not self.refusals_as_they_are:
            raise answers.problem(refusal.body, refusal.headers)
        await self.reply.whole(refusal.status, refusal.headers, refusal.body)

    async def _give_up(self, problem: Problem) -> None:
        if not self.reply.status:
            raise problem
        if self.output is None:
            raise CutOff from problem
        where = f"the run may still end: GET /agents/{self.call.agent}/runs/{self.run}"
        await self.output.fail(Problem(problem.reason, f"{problem.detail} ({where})"))


async def _read_end(response: PodResponse) -> None:
    """Read the end of a stream after its last event, if it comes at once: then the connection can be used again."""
    if response.content.at_eof():
        return
    try:
        async with asyncio.timeout(END_SECONDS):
            await response.some()  # nothing, unless the pod goes on: then the connection is closed
    except (TimeoutError, *Broken):
        return


def resumption(call: UpstreamRequest, *, run: str, last_id: str) -> UpstreamRequest:
    """What asks a pod for the events of a run that come after one of them."""
    kept = {name: value for name, value in call.headers.items() if name != "Content-Type"}
    _, mark, query = call.path.partition("?")
    return replace(
        call,
        method="GET",
        path=f"/agents/{call.agent}/runs/{run}{mark}{query}",
        headers={**kept, "Accept": MEDIA_TYPE, "Last-Event-ID": last_id},
        body=None,
        stream=True,
    )


def _identity_refused() -> Problem:
    # The caller was let in here, so this is about the gateway's own key, which no caller can fix.
    return Problem(
        Reason.INTERNAL_ERROR,
        "the agent's pod does not accept this gateway's identity: see whether the operator runs, which gives hosts "
        "the gateway's public key in the ConfigMap slipway-identity of the agent's namespace",
    )
