"""Who asked, and who was refused: the gateway's access log. No key, question or answer is in it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from slipway_runtime.gateway import metrics
from slipway_runtime.gateway.auth import presented_keys
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem

log = logging.getLogger(__name__)


def refused(request: Request) -> None:
    """Count and log a request that is answered with 401."""
    cause = "unknown key" if presented_keys(request.headers.raw) else "no key"
    metrics.UNAUTHENTICATED.labels(cause).inc()
    log.warning(
        "a request from %s was refused: %s", _remote(request), cause, extra={"remote": _remote(request), "cause": cause}
    )


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
        log.info(
            "request",
            extra={
                "caller": caller.subject,
                "remote": _remote(request),
                "method": request.method,
                "path": request.url.path[:500],
                "status": reply.status or 500,
                "seconds": round(time.perf_counter() - began, 3),
            },
        )


def _remote(request: Request) -> str:
    """The address at the other end of the connection; a load balancer's, where there is one that hides the client's."""
    return request.client.host if request.client else "an unknown address"
