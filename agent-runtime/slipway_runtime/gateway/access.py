"""Who asked, and who was refused: the gateway's access log. No key, question or answer is in it."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request

from slipway_runtime.gateway import metrics
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem

log = logging.getLogger(__name__)

REFUSALS_LOGGED = 100
"""Refused requests that are logged in a second, so that a stranger cannot fill the log; the metric counts them all."""


class Refusals:
    """Counts and logs the requests that are answered with 401."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0
        self._logged = 0

    def add(self, request: Request, *, cause: str) -> None:
        """One more. The cause is one of a few, since it is a label of the metric."""
        metrics.UNAUTHENTICATED.labels(cause).inc()
        if int(self._clock()) != self._second:
            self._second, self._logged = int(self._clock()), 0
        self._logged += 1
        if self._logged <= REFUSALS_LOGGED:
            remote = _remote(request)
            log.warning("a request from %s was refused: %s", remote, cause, extra={"remote": remote, "cause": cause})


@contextmanager
def logged(request: Request, caller: Caller, reply: Reply) -> Iterator[None]:
    """Log a verified caller's request when it ends, with the status that was sent."""
    began = time.perf_counter()
    try:
        yield
    except Problem as problem:
        reply.status = problem.status
        raise
    finally:
        write(request, caller, status=reply.status or 500, seconds=time.perf_counter() - began)


def write(request: Request, caller: Caller, *, status: int, seconds: float = 0.0) -> None:
    """Log a verified caller's request that has ended."""
    log.info(
        "request",
        extra={
            "caller": caller.owner,
            "remote": _remote(request),
            "method": request.method,
            "path": request.url.path[:500],
            "status": status,
            "seconds": round(seconds, 3),
        },
    )


def _remote(request: Request) -> str:
    """The address at the other end of the connection; a load balancer's, where there is one that hides the client's."""
    return request.client.host if request.client else "an unknown address"
