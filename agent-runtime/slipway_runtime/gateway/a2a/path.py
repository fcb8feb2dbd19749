"""The paths by which an agent is asked by A2A: JSON-RPC, and HTTP with JSON.

Who asks, what is admitted and how long a body may be is decided as on every other path. Only then the SDK's dispatcher
reads the request and calls our handler.
"""

import asyncio
import importlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind
from starlette.requests import Request

from slipway_runtime.gateway.asgi import Receive, unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import HostedPath
from slipway_runtime.gateway.permissions import Action, no_such_agent, require
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.ask import LARGE_ASK_BYTES
from slipway_runtime.protocols.skin import Answer
from slipway_runtime.telemetry.tracing import incoming, span

if TYPE_CHECKING:
    from a2a.server.request_handlers.request_handler import RequestHandler

    from slipway_runtime.gateway.a2a.dispatch import Dispatch


class Loader:
    """Imports the SDK when the protocol is first used: it is large, and takes a while.

    Args:
        handler: makes what requests are answered by, after the import.
    """

    def __init__(self, handler: Callable[[], "RequestHandler"]) -> None:
        self._handler = handler
        self._dispatch: Dispatch | None = None

    async def dispatch(self) -> "Dispatch":
        """What reads requests by the SDK."""
        if self._dispatch is None:
            module = await asyncio.to_thread(importlib.import_module, "slipway_runtime.gateway.a2a.dispatch")
            self._dispatch = module.Dispatch(await asyncio.to_thread(self._handler))
        return self._dispatch


def of_agents(gateway: Gateway) -> "RequestHandler":
    """What answers requests about agents."""
    from slipway_runtime.gateway.a2a.handler import TaskHandler

    return TaskHandler(gateway)


class A2APath(HostedPath):
    """One operation of one binding.

    Args:
        operation: see `Dispatch.answer`.
    """

    def __init__(self, gateway: Gateway, loader: Loader, operation: str) -> None:
        super().__init__(gateway, worded)
        self._loader = loader
        self._operation = operation

    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        agent = permitted(self._gateway, request, caller)
        with self._measured(agent, reply), self._gateway.long_bodies.held() as held:
            body = await self._body(request, receive, caller=caller, limit=LARGE_ASK_BYTES, held=held)
            with self._admitted():
                await unless_gone(self._dispatched(request, body, reply, agent=agent, caller=caller), receive)

    async def _dispatched(
        self, request: Request, body: bytes, reply: Reply, *, agent: AgentKey, caller: Caller
    ) -> None:
        dispatch = await self._loader.dispatch()
        from slipway_runtime.gateway.a2a.visit import Visit

        with span(
            "gateway a2a",
            parent=incoming(request.headers),
            kind=SpanKind.SERVER,
            attributes={"slipway.agent": str(agent)},
        ) as current:
            visit = Visit(request, agent, caller, partial(self._call, agent=agent, caller=caller))
            await sent(await dispatch.answer(self._operation, request, body, visit), reply)
            current.set_attribute("http.response.status_code", reply.status)


async def sent(answer: Answer | AsyncGenerator[bytes], reply: Reply) -> None:
    """Send an answer, whole or as it comes."""
    if isinstance(answer, Answer):
        await reply.whole(answer.status, answer.headers, answer.body)
        return
    await reply.start(200, {"content-type": sse.MEDIA_TYPE, **sse.HEADERS})
    async with aclosing(sse.with_pings(answer)) as pieces:
        async for piece in pieces:
            await reply.body(piece, more=True)
    await reply.body(b"")


def permitted(gateway: Gateway, request: Request, caller: Caller) -> AgentKey:
    """The agent that a path names. Raises Problem: `AgentNotFound`, also where the caller may not see it."""
    agent = AgentKey(request.path_params["namespace"], request.path_params["name"])
    if agent not in gateway.routes:
        raise no_such_agent()
    require(gateway.policy, caller, Action.LIST, agent)
    return agent


def worded(problem: Problem) -> Answer:
    """A problem that comes before the protocol has a say."""
    return Answer(problem.status, problem.headers(), problem.body())
