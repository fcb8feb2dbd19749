"""What all paths that hosts answer have in common: who asks, how much is taken on, and what is measured."""

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from urllib.parse import urlsplit

from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.responses import Response

from slipway_runtime.gateway import access, metrics
from slipway_runtime.gateway.admission import Full, Held
from slipway_runtime.gateway.asgi import ClientGone, Message, Receive, Send, read_body
from slipway_runtime.gateway.gateway import Gateway, caller_name
from slipway_runtime.gateway.relay import CutOff, Reply
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.gateway.upstream import LONGEST_SECONDS, UpstreamRequest
from slipway_runtime.grants import Grant
from slipway_runtime.identity import ANONYMOUS, Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.skin import Answer

log = logging.getLogger(__name__)


class HostedPath(Response):
    """The answer to a request for an agent, in the words of one skin, written while it comes from a host.

    It keeps nothing of a request, so one object answers all of them.

    Args:
        problem: how the skin words a problem.
    """

    def __init__(self, gateway: Gateway, problem: Callable[[Problem], Answer]) -> None:
        super().__init__()
        self._gateway = gateway
        self._problem = problem

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        reply = Reply(send, last=self._gateway.draining)
        try:
            await self._authenticated(scope, receive, reply)
        except Problem as problem:
            answer = self._problem(problem)
            await reply.whole(answer.status, answer.headers, answer.body)

    async def _authenticated(self, scope: Message, receive: Receive, reply: Reply) -> None:
        request = Request(scope)
        caller, grant = await self._identified(request)
        if caller == ANONYMOUS:
            check_origin(request, self._gateway.allowed_origins, remedy=self._gateway.origin_remedy)
        called = access.Called()
        if grant is None:
            called.admit = partial(self._gateway.rates.take_for, caller_name(request, caller))
        else:
            called.via = grant.actor
        with access.logged(request, caller, reply, called):
            try:
                self._gateway.require_agents()
                await self._answered(request, receive, reply, caller=caller, grant=grant)
            except ClientGone:
                reply.left()

    async def _identified(self, request: Request) -> tuple[Caller, Grant | None]:
        """Who asks, and by which grant. A path that does not say otherwise takes none."""
        return await self._gateway.authenticate(request), None

    @abstractmethod
    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        """Answer a known caller. Raises Problem where nothing was sent, and ClientGone."""

    def _measured(self, agent: AgentKey, reply: Reply) -> AbstractContextManager[None]:
        """Count a request for an agent, and log an answer that broke off."""
        return measured(agent, reply)

    @contextmanager
    def _admitted(self, *, depth: int = 0) -> Iterator[None]:
        """Take one of the gateway's places for as long as the block lasts.

        Args:
            depth: how many agents called each other on the way here.

        Raises:
            Problem: `Overloaded` if there is none.
        """
        bound = self._gateway.bound
        try:
            with bound.slot(depth=depth), metrics.IN_FLIGHT.track_inprogress():
                yield
        except Full:
            metrics.SHED.inc()
            raise Problem(
                Reason.OVERLOADED, f"the gateway works on {bound.limit} requests already: come back later"
            ) from None

    async def _body(self, request: Request, receive: Receive, *, caller: Caller, limit: int, held: Held) -> bytes:
        try:
            with self._gateway.bodies.slot(caller_name(request, caller)):
                return await read_body(receive, limit=limit, held=held)
        except Full:
            metrics.SHED.inc()
            raise Problem(
                Reason.OVERLOADED,
                f"{self._gateway.bodies.limit} bodies of yours are arriving already: send each of them whole",
            ) from None

    def _call(
        self,
        method: str,
        path: str,
        *,
        agent: AgentKey,
        caller: Caller,
        headers: Mapping[str, str],
        body: bytes | None = None,
        stream: bool = False,
        seconds: float = LONGEST_SECONDS,
    ) -> UpstreamRequest:
        """A request to the agent's pods in the caller's name."""
        return upstream_request(
            self._gateway,
            method,
            path,
            agent=agent,
            caller=caller,
            headers=headers,
            body=body,
            stream=stream,
            seconds=seconds,
        )


def check_origin(request: Request, allowed: Container[str], *, remedy: str) -> None:
    """Refuse what a web page of a foreign origin sends where no key is needed: browsers send some of it without asking.

    Args:
        remedy: how to allow an origin.

    Raises:
        Problem: `OriginNotAllowed`.
    """
    origin = request.headers.get("origin")
    if origin is None or request.method == "GET" or origin in allowed:
        return
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise Problem(Reason.ORIGIN_NOT_ALLOWED, f"pages of this origin may not ask: {remedy}")


@contextmanager
def measured(agent: AgentKey, reply: Reply) -> Iterator[None]:
    """Count a request for an agent, and log an answer that broke off. Raises Problem where its caller sent too many."""
    about = {"agent": str(agent)}
    with counted(reply, metrics.SECONDS, metrics.REQUESTS, labels=agent, about=about):
        access.note(agent=agent)
        yield


@contextmanager
def counted(
    reply: Reply, seconds: Histogram, requests: Counter, *, labels: Sequence[str], about: Mapping[str, str]
) -> Iterator[None]:
    """Count and time a request, and log an answer that broke off.

    Args:
        labels: of both metrics; the status is the last one of `requests`.
        about: what the log says that the request is about.
    """
    began = time.perf_counter()
    try:
        yield
    except ClientGone:
        reply.left()
        raise
    except CutOff as error:
        reply.status = 502
        log.warning("an answer broke off in its middle", extra={**about, "cause": str(error.__cause__)})
    except Problem as problem:
        reply.status = problem.status
        raise
    finally:
        seconds.labels(*labels).observe(time.perf_counter() - began)
        requests.labels(*labels, reply.status or 500).inc()


def upstream_request(
    gateway: Gateway,
    method: str,
    path: str,
    *,
    agent: AgentKey,
    caller: Caller,
    headers: Mapping[str, str],
    body: bytes | None = None,
    stream: bool = False,
    seconds: float = LONGEST_SECONDS,
) -> UpstreamRequest:
    """A request to the agent's pods in the caller's name."""
    signer = gateway.signer
    return UpstreamRequest(
        agent=agent,
        method=method,
        path=path,
        headers=headers,
        identity=lambda: signer.sign(caller, str(agent)),
        former_identity=lambda: signer.sign_with_former_key(caller, str(agent)),
        body=body,
        stream=stream,
        seconds=seconds,
    )
