"""Getting a response from some pod of an agent: the one place that decides when to try the next pod.

What is retried is safe to retry, because a question carries a run id that the gateway minted: a second pod that gets
the same id joins the run instead of starting another. So a connection that fails, a pod that drains and a pod that is
full lead to the next pod; with none left, the request is held until one is ready, for a bounded time and a bounded
number of requests.
"""

import asyncio
import io
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypedDict

import aiohttp
import orjson
from yarl import URL

from slipway_crds.contract import host_server_name
from slipway_runtime import retrying
from slipway_runtime.gateway.admission import Bound, Full
from slipway_runtime.gateway.answers import passed_on, whole
from slipway_runtime.gateway.events import Shared
from slipway_runtime.gateway.host_authorities import HostAuthorities
from slipway_runtime.gateway.metrics import EJECTED, HELD, RETRIES
from slipway_runtime.gateway.routes import AgentKey, PodEndpoint, RouteTable
from slipway_runtime.identity import HEADER as IDENTITY_HEADER
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.headers import RETIRING_HEADER, REVISION_HEADER
from slipway_runtime.responses import InvalidAnswer, PodResponse

log = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
IDLE_SECONDS = 4.0
"""How long an unused connection is kept: less than the 5 s after which a host closes it, so none is used too late."""
SILENCE_SECONDS = 45.0
"""An event stream sends a ping every 15 s; three missed ones mean that the pod is gone."""
LONGEST_SECONDS = 1860.0
"""The longest `requestTimeout` and a minute."""
READ_BYTES = 16 * 1024
"""A connection to a pod is not read from while twice as much waits for a slow client."""
RECEIVE_BYTES = 64 * 1024
"""What the kernel keeps for a connection, and so the most that one read of it brings."""

Broken = (aiohttp.ClientError, ConnectionError, InvalidAnswer)
"""What a pod that dies, is not there, or is no host looks like from here."""
NeverSent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
BROKEN_LIMIT = 4
"""Pods in a row that may break off under one request without anything new for the client."""


@dataclass(frozen=True)
class UpstreamRequest:
    """One request to an agent's pods, whichever of them takes it."""

    agent: AgentKey
    method: str
    path: str
    headers: Mapping[str, str]
    identity: Callable[[], str]
    """Makes the identity token, anew for every attempt since it lives for a minute."""
    former_identity: Callable[[], str | None] = lambda: None
    """The same by the gateway's key before; None if there is none."""
    body: bytes | None = None
    stream: bool = False
    """Whether the response is an event stream, which must not fall silent."""
    seconds: float = LONGEST_SECONDS
    """How long the whole of it may take, with all pods that are tried."""
    success: Collection[int] = (200,)
    """What an answer may say with a body that was asked for."""


@dataclass
class Search:
    """What one request has learnt about the agent's pods while looking for one that answers."""

    deadline: float
    avoid: set[PodEndpoint] = field(default_factory=set)
    refusal: "Refusal | None" = None
    broken: int = 0
    """Pods that broke off after they had been given the request."""
    revision: str | None = None
    """The replaced revision that the question's session belongs to; None for the one that serves."""


@dataclass(frozen=True)
class Refusal:
    """A pod's own answer that it cannot, with the headers that a client gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TooManyBroke(Exception):
    """Pods keep breaking off under this request. Some questions kill pods; this one is not given to another."""

    def problem(self, agent: AgentKey) -> Problem:
        """What the caller gets to know of the last pod."""
        if isinstance(self.__cause__, InvalidAnswer):
            return Problem(
                Reason.INVALID_ANSWER,
                f"a pod of agent {agent} sent {self.__cause__}: see whether a pod that is none of the agent's has its "
                "labels (kubectl get pods --show-labels), then ask again",
            )
        return Problem(Reason.NO_POD_READY, f"pods of agent {agent} keep breaking off: look at their logs")


class Refused(Exception):
    """Pods refused the request, and no other would take it; carries the last one's answer, to be passed on."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


def new_session(limit: int) -> aiohttp.ClientSession:
    """The gateway's one HTTP client: no cookies, nothing decoded, and a dead peer is noticed within 20 s."""
    connector = aiohttp.TCPConnector(limit=limit, keepalive_timeout=IDLE_SECONDS, socket_factory=_keepalive_socket)
    return aiohttp.ClientSession(
        connector=connector,
        read_bufsize=READ_BYTES,
        response_class=PodResponse,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
    )


def _keepalive_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2), ("TCP_USER_TIMEOUT", 20_000)):
        if number := getattr(socket, option, None):  # not every laptop's system has them all
            made.setsockopt(socket.IPPROTO_TCP, number, value)
    return made


class _RequestTls(TypedDict, total=False):
    ssl: ssl.SSLContext
    server_hostname: str


class Upstreams:
    """Sends calls to the pods of agents."""

    def __init__(
        self,
        *,
        routes: RouteTable,
        session: aiohttp.ClientSession,
        hold_seconds: float,
        held: Bound,
        authorities: HostAuthorities | None = None,
    ) -> None:
        self.hold_seconds = hold_seconds
        self._authorities = authorities
        self._routes = routes
        self._session = session
        self.held = held
        self.shared = Shared()

    @asynccontextmanager
    async def open(
        self, call: UpstreamRequest, *, avoid: PodEndpoint | None = None
    ) -> AsyncIterator[tuple[PodResponse, PodEndpoint]]:
        """A response of the first pod that takes the call, with its headers read and its body not.

        `avoid` is a pod that just failed: it is asked again only if no other is there.

        Raises:
            Problem: AgentNotFound, or NoPodReady when none took the call in time.
            Refused: if every pod says that it is full, or one that the store or an index is unavailable.
            TooManyBroke: if one pod after the other broke off.
        """
        search = Search(time.monotonic() + self.hold_seconds, {avoid} if avoid else set())
        while True:
            endpoint = await self._next(call.agent, search)
            with endpoint.busy():
                response = await self._attempt(call, endpoint, search)
                if response is not None:
                    try:
                        async with response:
                            yield response, endpoint
                    except Broken:
                        _failed(call, endpoint)
                        raise
                    endpoint.succeeded()
                    return

    async def _next(self, agent: AgentKey, search: Search) -> PodEndpoint:
        if (endpoint := self._routes.pick(agent, avoid=search.avoid, retiring=search.revision)) is not None:
            return endpoint
        if search.refusal is not None:
            raise Refused(search.refusal)
        if search.revision is not None:  # gone by now: the serving one takes the session over
            search.revision = None
            return await self._next(agent, search)
        try:
            with self.held.slot(), HELD.track_inprogress():
                return await self._hold(agent, search)
        except Full:
            raise Problem(
                Reason.NO_POD_READY, f"no pod of agent {agent} is ready, and too many requests wait"
            ) from None

    async def _hold(self, agent: AgentKey, search: Search) -> PodEndpoint:
        while True:
            if agent not in self._routes:
                raise Problem(Reason.AGENT_NOT_FOUND, f"there is no agent {agent}: GET /agents lists what there is")
            left = search.deadline - time.monotonic()
            if left <= 0:
                raise Problem(
                    Reason.NO_POD_READY,
                    f"no pod of agent {agent} became ready within {self.hold_seconds:g} s: see the Agent's conditions",
                )
            # A pod that failed may come back under its address without the table changing: look again soon.
            within = min(left, retrying.delay(retrying.POD)) if search.avoid else left
            await self._routes.changed(agent, within=within)
            search.avoid.clear()
            if (endpoint := self._routes.pick(agent)) is not None:
                return endpoint

    async def _attempt(self, call: UpstreamRequest, endpoint: PodEndpoint, search: Search) -> PodResponse | None:
        """The pod's response if it is one to pass on; None to try another pod."""
        retiring = self._routes.retiring(call.agent, avoid=search.avoid)
        offered = {RETIRING_HEADER: ",".join(retiring)} if retiring else {}
        try:
            response = await self._request(call, endpoint, call.identity(), offered)
            if response.status == 401 and (identity := call.former_identity()) is not None:
                response.close()
                response = await self._request(call, endpoint, identity, offered)
            try:
                if (revision := response.headers.get(REVISION_HEADER)) in retiring:
                    response.close()
                    self._redirected(revision, search)
                    return None
                headers = passed_on(response, stream=call.stream, success=call.success)
                if response.status not in (429, 503):
                    return response
                refusal = Refusal(response.status, headers, await whole(response))
            except BaseException:
                response.close()
                raise
        except Broken as error:
            _failed(call, endpoint)
            self._broke(error, search)
            self._retry(call, endpoint, search, cause=type(error).__name__)
            return None
        self._refused(call, endpoint, search, refusal)
        return None

    async def _request(
        self, call: UpstreamRequest, endpoint: PodEndpoint, identity: str, offered: Mapping[str, str]
    ) -> PodResponse:
        url = URL(endpoint.url + call.path, encoded=True)
        headers = {**call.headers, **offered, IDENTITY_HEADER: identity}
        # aiohttp sends bytes in one piece, and what can be read in many.
        body = io.BytesIO(call.body) if call.body and len(call.body) > RECEIVE_BYTES else call.body
        request = self._session.request(
            call.method, url, data=body, headers=headers, allow_redirects=False, **self._tls(call.agent, url)
        )
        try:  # a stream's headers, however slowly they drip
            async with asyncio.timeout(SILENCE_SECONDS if call.stream else None):
                response = await request
        except TimeoutError:
            raise InvalidAnswer(f"nothing for {SILENCE_SECONDS:g} s") from None
        assert isinstance(response, PodResponse)  # see `new_session`
        return response

    def _tls(self, agent: AgentKey, url: URL) -> _RequestTls:
        """How a pod is checked that speaks TLS: whatever its address, it has a certificate of the agent's namespace."""
        if self._authorities is None or url.scheme != "https":
            return {}
        return {"ssl": self._authorities.context(), "server_hostname": host_server_name(agent.namespace)}

    def _redirected(self, revision: str, search: Search) -> None:
        """The session belongs to another revision, whose pods are asked next. Raises InvalidAnswer for one that is."""
        if search.revision is not None:
            raise InvalidAnswer("another revision of a session that was its own")
        search.revision = revision

    def _refused(self, call: UpstreamRequest, endpoint: PodEndpoint, search: Search, refusal: Refusal) -> None:
        """Remember that a pod is full or drains. Raises Refused where another pod would say the same."""
        reason = _reason(refusal.body)
        if reason == Reason.OVERLOADED:
            search.refusal = refusal
        elif reason != Reason.DRAINING:
            raise Refused(refusal)  # the store or the index is unavailable
        self._retry(call, endpoint, search, cause=reason)

    def _broke(self, error: Exception, search: Search) -> None:
        if isinstance(error, NeverSent):
            return
        search.broken += 1
        search.deadline = time.monotonic() + self.hold_seconds  # what it waited for an answer is not counted as holding
        if search.broken >= BROKEN_LIMIT:
            raise TooManyBroke from error

    def _retry(self, call: UpstreamRequest, endpoint: PodEndpoint, search: Search, *, cause: str) -> None:
        search.avoid.add(endpoint)
        RETRIES.labels(cause).inc()
        # A full pod is not logged: under overload there would be a thousand lines a second.
        level = logging.DEBUG if cause == Reason.OVERLOADED else logging.INFO
        log.log(level, "trying the next pod", extra={"agent": str(call.agent), "pod": endpoint.url, "cause": cause})


def _failed(call: UpstreamRequest, endpoint: PodEndpoint) -> None:
    """Count a failure of a pod, which others are preferred to if there are too many."""
    if endpoint.failed():
        EJECTED.inc()
        log.warning(
            "a pod failed too often and is left alone for a while",
            extra={"agent": str(call.agent), "pod": endpoint.url},
        )


def _reason(body: bytes) -> str:
    """The stable word in a host's problem document; empty if it is not one."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    reason = document.get("reason", "") if isinstance(document, dict) else ""
    return reason if isinstance(reason, str) else ""
