"""Who called what, and who was refused: the gateway's access log. No key, question or answer is in it."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from starlette.requests import Request

from slipway_runtime.gateway import metrics
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.routes import AgentKey, PluginKey, Target, WorkflowKey
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem

log = logging.getLogger(__name__)

NAME_CHARACTERS = 200
PROTOCOLS = {
    "openai": re.compile("^/v1/"),
    "mcp": re.compile("/mcp$"),
    "a2a": re.compile("/a2a(/|$)"),
    "ag-ui": re.compile("/ag-ui(/|$)"),
    "workflow": re.compile("^/workflows(/|$)"),
    "documents": re.compile("^/indexes/"),
    "http": re.compile("^/(agents|openapi.json|docs.*)$"),
}
"""By what their paths have; the others are those of chat, runs and sessions."""
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


@dataclass
class Called:
    """What a request turns out to be about, which is known bit by bit while it is answered."""

    agent: AgentKey | None = None
    plugin: PluginKey | None = None
    workflow: WorkflowKey | None = None
    tool: str | None = None
    via: str | None = None
    """The agent or workflow that asks for the caller."""
    admit: Callable[[Target], None] = lambda _: None
    """Lets one more request to an agent, plugin or workflow pass, or raises Problem."""

    def fields(self) -> dict[str, str]:
        """What is known, for the log."""
        known = {
            "agent": self.agent,
            "plugin": self.plugin,
            "workflow": self.workflow,
            "tool": self.tool,
            "via": self.via,
        }
        return {name: str(value)[:NAME_CHARACTERS] for name, value in known.items() if value is not None}


_CALLED: ContextVar[Called | None] = ContextVar("called", default=None)


def note(
    *,
    agent: AgentKey | None = None,
    plugin: PluginKey | None = None,
    workflow: WorkflowKey | None = None,
    tool: str | None = None,
) -> None:
    """Let the record of the request that is being answered say what it is about.

    Raises:
        Problem: `RateLimited`, the first time that an agent, a plugin or a workflow is named.
    """
    if (called := _CALLED.get()) is None:
        return
    known = (called.agent, called.plugin, called.workflow)
    called.agent, called.plugin, called.tool = agent or called.agent, plugin or called.plugin, tool or called.tool
    called.workflow = workflow or called.workflow
    target = agent or plugin or workflow
    if target is not None and target not in known:
        called.admit(target)


@contextmanager
def logged(request: Request, caller: Caller, reply: Reply, called: Called | None = None) -> Iterator[None]:
    """Log a verified caller's request when it ends, with the status that was sent."""
    began = time.perf_counter()
    called = called or Called()
    token = _CALLED.set(called)
    try:
        yield
    except Problem as problem:
        reply.status = problem.status
        raise
    finally:
        _CALLED.reset(token)
        seconds = time.perf_counter() - began
        write(request, caller, status=reply.status or 500, seconds=seconds, called=called)


def write(request: Request, caller: Caller, *, status: int, seconds: float = 0.0, called: Called | None = None) -> None:
    """Log a verified caller's request that has ended."""
    path: str = request.scope["path"]  # `request.url` parses the host as well
    log.info(
        "request",
        extra={
            "caller": caller.owner,
            "remote": _remote(request),
            "method": request.method,
            "path": path[:500],
            "protocol": protocol_of(path),
            **(called.fields() if called else {}),
            "status": status,
            "seconds": round(seconds, 3),
        },
    )


def protocol_of(path: str) -> str:
    """The protocol of a path, in a word."""
    for word, pattern in PROTOCOLS.items():
        if pattern.search(path):
            return word
    return "chat"


def _remote(request: Request) -> str:
    """The address at the other end of the connection; a load balancer's, where there is one that hides the client's."""
    return request.client.host if request.client else "an unknown address"
