"""One request of a client, as the SDK passes it through to our handler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from a2a.server.context import ServerCallContext
from a2a.server.routes.common import ServerCallContextBuilder
from starlette.requests import Request

from slipway_runtime.gateway.resuming import MakeCall
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem

VISIT = "visit"


class Troubled(Protocol):
    """A request that may turn out to have a problem."""

    problem: Problem | None


@dataclass
class Visit:
    """Who asks whom."""

    request: Request
    agent: AgentKey
    caller: Caller
    call: MakeCall
    """Makes requests to the agent's pods in the caller's name."""
    problem: Problem | None = None
    """Why the request could not be answered."""

    @property
    def path(self) -> str:
        """Of the agent, on its hosts."""
        return f"/agents/{self.agent}"


class Contexts(ServerCallContextBuilder):
    """Makes the SDK's context of a request, whose scope has the visit."""

    def build(self, request: Request) -> ServerCallContext:
        """The context."""
        headers: Mapping[str, str] = request.headers
        return ServerCallContext(state={"headers": dict(headers), VISIT: request.scope[VISIT]})


def visit_of(context: ServerCallContext) -> Visit:
    """The visit that a context was made of."""
    found = context.state[VISIT]
    assert isinstance(found, Visit)
    return found
