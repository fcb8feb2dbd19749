"""Going on with a run that waits for what a client's request gives.

The request names the run, by the id of an input or by those of its calls, and the run's events say which input it waits
for. What was sent before is found by its request's id, so a repeated request attaches to the run.
"""

import hashlib
from collections.abc import Callable, MutableMapping
from typing import Any

import orjson

from slipway_runtime.events import TERMINAL, Cancelled, Event, Failed, InputRequired, ends, read
from slipway_runtime.gateway.relay import Relay, Reply
from slipway_runtime.gateway.upstream import UpstreamRequest, Upstreams
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.given import Given
from slipway_runtime.protocols.headers import REQUEST_HEADER

GONE = frozenset((Reason.RUN_NOT_FOUND, Reason.INPUT_NOT_FOUND))
MakeCall = Callable[..., UpstreamRequest]
"""`HostedPath._call` for one caller and agent: method, path and what else a `UpstreamRequest` has."""


async def resume(upstreams: Upstreams, call: MakeCall, given: Given, *, grant: str | None) -> str | None:
    """Give a run what it waits for.

    Args:
        grant: the run's right to ask other agents, renewed.

    Returns:
        The id of the event after which the run goes on, or None if it does not wait for this any more: see
        `Given.lost`.

    Raises:
        Problem: `BadParameter` if a part is missing; what else keeps hosts from answering.
    """
    log = _Log()
    run = given.run
    stream = call("GET", f"{_path(call)}/{run}?watch=false", headers={"Accept": sse.MEDIA_TYPE}, stream=True)
    try:
        await _relay(upstreams, stream, run, log)
        if log.failed and not given.late:
            return None
        place, asked = log.asked(given)
        if asked is None:
            return None
        name = hashlib.sha256(orjson.dumps([run, asked.id, given.body.model_dump()], option=orjson.OPT_SORT_KEYS))
        body = given.body.renewed(grant).model_dump_json(exclude_none=True).encode()
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            REQUEST_HEADER: name.hexdigest()[:32],
        }
        await _relay(upstreams, call("POST", f"{_path(call)}/{run}/input/{asked.id}", headers=headers, body=body), run)
    except Problem as problem:
        if problem.reason is Reason.INPUT_NOT_OPEN:
            return place if given.late else None
        if problem.reason in GONE:
            return None
        raise
    return place


async def _relay(upstreams: Upstreams, call: UpstreamRequest, run: str, log: "_Log | None" = None) -> None:
    reply = Reply(_nobody)
    await Relay(call=call, run=run, upstreams=upstreams, reply=reply, output=log, refusals_as_they_are=False).go()


async def _nobody(_: MutableMapping[str, Any]) -> None:
    return


class _Log:
    """An `EventSink` that keeps what a run asks for, and how it ended."""

    over = False

    def __init__(self) -> None:
        self._asked: list[tuple[str, InputRequired]] = []
        self._last: Event | None = None

    @property
    def failed(self) -> bool:
        """Whether there will be no answer."""
        return isinstance(self._last, Failed | Cancelled)

    def asked(self, given: Given) -> tuple[str, InputRequired | None]:
        """What asks for this, and the id of the event that does; the last one, if there are several."""
        found = [(place, each) for place, each in self._asked if given.answers(each)]
        return found[-1] if found else ("", None)

    async def begin(self) -> None:
        return

    async def take(self, frames: bytes) -> None:
        for place, kind, data in sse.read_numbered(frames):
            if kind == "input_required" or kind in TERMINAL:
                event = read(orjson.loads(data))
                if isinstance(event, InputRequired):
                    self._asked.append((place, event))
                elif ends(event):
                    self._last = event

    async def end(self, *, finished: bool) -> bool:
        return finished or bool(self._asked)

    async def fail(self, problem: Problem) -> None:
        raise problem


def _path(call: MakeCall) -> str:
    agent = call("GET", "", headers={}).agent
    return f"/agents/{agent}/runs"
