"""Passing a worker's answer on, and going on with another worker where one dies in the middle of a run's events.

Every worker of a namespace sees the same runs, and a request that begins something has an id that the gateway chose: to
ask the next worker is always safe.
"""

import asyncio
import re
from dataclasses import replace

from slipway_runtime.gateway import answers
from slipway_runtime.gateway.answers import passed_on
from slipway_runtime.gateway.metrics import REATTACHED
from slipway_runtime.gateway.relay import CutOff, Reply
from slipway_runtime.gateway.upstream import (
    BROKEN_LIMIT,
    SILENCE_SECONDS,
    Broken,
    Refused,
    TooManyBroke,
    UpstreamRequest,
    Upstreams,
)
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import sse
from slipway_runtime.responses import InvalidAnswer, PodResponse

EVENT_BYTES = 1024 * 1024
"""Bytes in one event."""
_ID = re.compile(rb"^id: ([\x21-\x7e]{1,200})$", re.MULTILINE)
LAST_ID = re.compile(r"[\x21-\x7e]{1,200}")
"""An event's id, as it goes into a header."""


class WorkerRelay:
    """One call of a worker and its answer.

    Args:
        events: path at which a run's events go on; empty where the answer is JSON.
    """

    def __init__(self, upstreams: Upstreams, call: UpstreamRequest, reply: Reply, *, events: str = "") -> None:
        self._upstreams = upstreams
        self._call = call
        self._reply = reply
        self._events = events
        self._last_id = ""
        self._rest = b""

    async def go(self) -> None:
        """Return when the client has the whole answer.

        Raises:
            Problem: when there is none and nothing was sent to the client yet.
            CutOff: when only a part was sent.
        """
        try:
            async with asyncio.timeout(self._call.seconds):
                await self._until_whole()
        except Refused as refused:
            await self._refused(refused)
        except TooManyBroke as error:
            self._give_up(_broke(self._call, error), error)
        except TimeoutError as error:
            self._give_up(Problem(Reason.REQUEST_TIMEOUT, "the worker did not answer in time: ask again"), error)
        except Problem as problem:
            self._give_up(_of_workers(self._call, problem), problem)

    async def _until_whole(self) -> None:
        broken, cause = 0, None
        while broken < BROKEN_LIMIT:
            position = self._last_id
            try:
                async with self._upstreams.open(self._next_call()) as (response, _):
                    await self._pass_on(response)
                return
            except Broken as error:
                if self._reply.begun and not self._events:
                    raise CutOff from error
                broken = 1 if self._last_id != position else broken + 1
                cause = error
                REATTACHED.inc()
        raise TooManyBroke from cause

    def _next_call(self) -> UpstreamRequest:
        """The call as it came, until events have reached the client; from then on, the rest of them."""
        if not self._last_id:
            return self._call
        headers = {name: value for name, value in self._call.headers.items() if name != "Content-Type"}
        headers["Last-Event-ID"] = self._last_id
        return replace(self._call, method="GET", path=self._events, headers=headers, body=None)

    async def _pass_on(self, response: PodResponse) -> None:
        if response.status == 200 and self._call.stream:
            await self._stream(response)
        elif response.status == 401:
            raise _identity_refused()
        elif self._reply.begun:
            raise CutOff from InvalidAnswer(f"a worker answered {response.status} in the middle")
        else:
            await self._whole(response)

    async def _whole(self, response: PodResponse) -> None:
        headers = passed_on(response, stream=self._call.stream, success=self._call.success)
        rest, held = answers.pieces(response, limit=answers.ANSWER_BYTES), bytearray()
        async for piece in rest:
            held += piece
            if len(held) > answers.HELD_BYTES:
                break
        else:
            await self._reply.whole(response.status, headers, bytes(held))
            return
        await self._reply.start(response.status, headers)
        await self._reply.body(bytes(held), more=True)
        async for piece in rest:
            await self._reply.body(piece, more=True)
        await self._reply.body(b"")

    async def _stream(self, response: PodResponse) -> None:
        self._rest = b""
        if not self._reply.begun:
            await self._reply.start(200, {"content-type": sse.MEDIA_TYPE, **sse.HEADERS})
        while chunk := await _some(response):
            if whole := self._cut(chunk):
                await self._reply.body(whole, more=True)
        await self._reply.body(b"")

    def _cut(self, chunk: bytes) -> bytes:
        """The whole events that are there now. Raises InvalidAnswer."""
        if b"\r" in chunk:  # ends a line for the client, and not here
            raise InvalidAnswer("a carriage return in a stream")
        whole, mark, self._rest = (self._rest + chunk).rpartition(b"\n\n")
        if len(self._rest) > EVENT_BYTES:
            raise InvalidAnswer(f"an event of more than {EVENT_BYTES} bytes")
        for found in _ID.finditer(whole):
            self._last_id = found[1].decode()
        return whole + mark

    async def _refused(self, refused: Refused) -> None:
        refusal = refused.refusal
        if self._reply.begun:
            raise CutOff from refused
        await self._reply.whole(refusal.status, refusal.headers, refusal.body)

    def _give_up(self, problem: Problem, cause: Exception) -> None:
        if self._reply.begun:
            raise CutOff from cause
        raise problem


async def _some(response: PodResponse) -> bytes:
    """What comes next; nothing at the end. Raises InvalidAnswer."""
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await response.some()
    except TimeoutError:
        raise InvalidAnswer(f"nothing for {SILENCE_SECONDS:g} s") from None


def _broke(call: UpstreamRequest, error: TooManyBroke) -> Problem:
    if isinstance(error.__cause__, InvalidAnswer):
        return Problem(Reason.INVALID_ANSWER, f"a worker of namespace {call.agent.namespace} sent {error.__cause__}")
    return Problem(
        Reason.NO_POD_READY, f"workers of namespace {call.agent.namespace} keep breaking off: look at their logs"
    )


def _of_workers(call: UpstreamRequest, problem: Problem) -> Problem:
    """What is said of pods of agents, in the words for workers."""
    if problem.reason not in (Reason.NO_POD_READY, Reason.AGENT_NOT_FOUND):
        return problem
    return Problem(
        Reason.NO_POD_READY,
        f"no worker of namespace {call.agent.namespace} is ready: see the conditions of its Workflows",
    )


def _identity_refused() -> Problem:
    # The caller was let in here, so this is about the gateway's own key, which no caller can fix.
    return Problem(
        Reason.INTERNAL_ERROR,
        "the worker does not accept this gateway's identity: see whether the operator runs, which gives workers the "
        "gateway's public key in the ConfigMap slipway-identity of their namespace",
    )
