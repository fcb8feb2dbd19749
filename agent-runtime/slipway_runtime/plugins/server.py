"""One server of a Plugin: what is sent to it, what counts as an answer, and when it is left alone for a while."""

import asyncio
import errno
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address

import aiohttp
import orjson
from yarl import URL

from slipway_crds.contract import FORBIDDEN_ADDRESS, PLUGIN_FAILED, SERVER_FAILED
from slipway_crds.plugins.upstream import McpUpstream
from slipway_runtime.addresses import AddressRule, ForbiddenAddress
from slipway_runtime.circuit import Circuit
from slipway_runtime.plugins.connection import new_session
from slipway_runtime.plugins.messages import EVENT_STREAM, JSON
from slipway_runtime.responses import InvalidAnswer, PodResponse

log = logging.getLogger(__name__)

ANSWER_BYTES = 8 * 1024 * 1024
"""Of an answer that has to be read as a whole."""
ERROR_CHARACTERS = 300
FAILURE_HEADER = "X-Slipway-Failure"
"""Of a connector's answer: the server gave none, and the body says why."""
REFUSED = "refused"
"""Value of that header: the connector does not run the plugin. The server answers, and has not failed."""
FAILURE_BYTES = 4096
FAILURES = (ForbiddenAddress, aiohttp.ClientError, TimeoutError, ConnectionError, InvalidAnswer, ValueError)
SEE_STATUS = "the status of the Plugin says more"
Headers = Mapping[str, str]


class ServerFailed(Exception):
    """A server could not be called or gave no answer of MCP. `reason` is a stable word, the text says what to do.

    Args:
        status: of HTTP, for clients of the gateway.
        sent: whether the server may have acted.
        told: what callers get to know, who need not know where the server is; the text if not given.
        refused: whether the server is well and does not run the plugin.
        no_pod: whether it is a connector of which no pod is ready.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        status: int = 502,
        sent: bool = True,
        told: str = "",
        refused: bool = False,
        no_pod: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.told = told or message
        self.status = status
        self.sent = sent
        self.refused = refused
        self.no_pod = no_pod


@dataclass(frozen=True, kw_only=True)
class ServerAccess:
    """How a server is reached.

    Args:
        reach: the addresses that it may have.
        headers: what each request to it has besides; made anew for each, and it may raise ServerFailed.
        tls: what its certificate is checked against.
        current_tls: the same, asked for with each request: another object than the last time for new connections only.
    """

    reach: AddressRule
    headers: Callable[[], Headers] = dict
    tls: Callable[[], ssl.SSLContext] | None = None
    current_tls: Callable[[], ssl.SSLContext] | None = None


class PluginServer:
    """Calls one server."""

    def __init__(self, upstream: McpUpstream, access: ServerAccess) -> None:
        self.upstream = upstream
        self.circuit = Circuit()
        self._access = access
        self._url = URL(upstream.url)
        self._literal = _literal(self._url.host or "")
        self._session = self._new_session()
        seconds = upstream.connect_timeout
        self._endless = aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds, sock_read=None)
        self.last_error: ServerFailed | None = None

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def forget(self) -> None:
        """Make all connections anew from now on. Calls that are under way break off."""
        former, self._session = self._session, self._new_session()
        await former.close()

    def _new_session(self) -> aiohttp.ClientSession:
        upstream, access = self.upstream, self._access
        return new_session(
            access.reach, timeout=upstream.timeout, connect_timeout=upstream.connect_timeout, tls=access.tls
        )

    @asynccontextmanager
    async def open(
        self,
        method: str,
        headers: Headers,
        body: bytes | None = None,
        *,
        endless: bool = False,
        endpoint: str | None = None,
    ) -> AsyncIterator[PodResponse]:
        """An answer of the server, with its headers read and its body not. Its status may be one of an error of MCP.

        Args:
            endless: whether the answer is a stream that may be silent for any time.
            endpoint: path and query, as they go over the wire, of an end point of HTTP, which answers as it likes;
                None for the end point of MCP.

        Raises:
            ServerFailed: if there is none.
        """
        if not self.circuit.allow():
            raise self._left_alone()
        try:
            response = await self._request(method, headers, body, endless=endless, endpoint=endpoint)
        except ServerFailed as error:
            self._failed(error)
            raise
        except BaseException:
            self.circuit.abandoned()
            raise
        self.circuit.succeeded()
        self.last_error = None
        async with response:
            yield response

    async def _request(
        self, method: str, headers: Headers, body: bytes | None, *, endless: bool, endpoint: str | None
    ) -> PodResponse:
        upstream = self.upstream
        url = self._url if endpoint is None else URL(f"{self._url.origin()}{endpoint}", encoded=True)
        try:
            self._check_literal()
            async with asyncio.timeout(upstream.timeout):
                response = await self._session.request(
                    method,
                    url,
                    data=body,
                    headers={**headers, **self._access.headers()},
                    allow_redirects=False,
                    timeout=self._endless if endless else self._session.timeout,
                    ssl=self._access.current_tls() if self._access.current_tls else True,
                )
        except FAILURES as error:
            raise self._failure(error) from None
        assert isinstance(response, PodResponse)  # see `new_session`
        try:
            if upstream.connector and FAILURE_HEADER in response.headers:
                raise await self._failure_of(response)
            if endpoint is None:
                self._check(response)
        except BaseException:
            response.close()
            raise
        return response

    def _left_alone(self) -> ServerFailed:
        said = f"the server of plugin {self.upstream.key} keeps failing and is left alone for some seconds"
        message, told = (f" ({self.last_error.message})", f" ({self.last_error.told})") if self.last_error else ("", "")
        return ServerFailed("ServerLeftAlone", said + message, status=503, sent=False, told=said + told)

    def _failure(self, error: Exception) -> ServerFailed:
        """A request that got no answer."""
        server = f"the server of plugin {self.upstream.key}"
        if isinstance(error, ForbiddenAddress):
            told = f"{server} is at an address that is never connected to: {SEE_STATUS}"
            return ServerFailed(FORBIDDEN_ADDRESS, str(error), status=502, sent=False, told=told)
        if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
            return self._unreachable(error)
        if isinstance(error, TimeoutError):
            said = f"{server} sent nothing for {self.upstream.timeout:g} s"
            return ServerFailed("ServerTimeout", said, status=504)
        return ServerFailed("InvalidAnswer", f"{server} broke off: {_said(error)}", told=f"{server} broke off")

    def _check_literal(self) -> None:
        """aiohttp resolves no host that is an address."""
        if self._literal:
            self._access.reach.check(self._literal, [self._literal])

    def _unreachable(self, error: Exception) -> ServerFailed:
        where = f"{self._url.host}:{self._url.port}"
        what = "no connection within" if isinstance(error, TimeoutError) else "no connection:"
        said = f"{self.upstream.connect_timeout:g} s" if isinstance(error, TimeoutError) else _cause(error)
        return ServerFailed(
            "ServerUnreachable",
            f"the server of plugin {self.upstream.key} cannot be reached at {where}: {what} {said}",
            status=503,
            sent=False,
            told=f"the server of plugin {self.upstream.key} cannot be reached: {SEE_STATUS}",
            no_pod=self.upstream.connector and _errno(error) == errno.ECONNREFUSED,
        )

    def _check(self, response: PodResponse) -> None:
        """See that this is an answer of MCP. Raises ServerFailed."""
        status, kind = response.status, media_type(response)
        key = self.upstream.key
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ServerFailed("InvalidAnswer", f"the server of plugin {key} sent a compressed answer, unasked")
        if status in (401, 403, 407):
            raise ServerFailed(
                "CredentialRefused",
                f"the server of plugin {key} refused the call ({status}): see tokenRef and headers of the Plugin",
            )
        if status in (202, 204) or (status == 405 and response.method != "POST"):
            return
        if 300 <= status < 400:
            raise ServerFailed(
                "NotAnMcpServer", f"the server of plugin {key} leads elsewhere ({status}): write its final address"
            )
        if status in (429, 502, 503, 504):
            raise ServerFailed("ServerOverloaded", f"the server of plugin {key} answered {status}", status=503)
        if kind == JSON or (kind == EVENT_STREAM and status == 200):
            return
        if status == 404:
            return  # of a session that it does not know any more; who asked knows what it means
        if 400 <= status < 500 and status != 200:
            raise ServerFailed(
                "NotAnMcpServer", f"the server of plugin {key} answered {status} without JSON: see the path of its URL"
            )
        what = f"{kind or 'nothing'} with status {status}"
        raise ServerFailed(
            "NotAnMcpServer", f"the server of plugin {key} answered {what}, which is no MCP: see the path of its URL"
        )

    def _failed(self, error: ServerFailed) -> None:
        if error.refused:  # each call gets the reason
            self.circuit.succeeded()
            self.last_error = None
            return
        if error.no_pod:  # nobody waited for it, and the pod may be there at the next call
            self.circuit.abandoned()
        else:
            self.circuit.failed()
        self.last_error = error
        log.info("a plugin's server failed", extra={"plugin": self.upstream.key, "cause": error.reason})

    async def _failure_of(self, response: PodResponse) -> ServerFailed:
        """What a connector says of its server. It is a tenant's pod, so only so much of it is taken."""
        given: object = None
        with suppress(aiohttp.ClientError, TimeoutError, ConnectionError, InvalidAnswer, ValueError):
            given = orjson.loads((await response.some())[:FAILURE_BYTES])
        words = given if isinstance(given, dict) else {}
        reason, message = str(words.get("reason") or SERVER_FAILED)[:64], str(words.get("error") or "the server failed")
        status = response.status if response.status > 499 else 502
        refused = response.headers[FAILURE_HEADER] == REFUSED
        # What its code raised while it was loaded is for its owner, who finds it in the status.
        told = f"the plugin {self.upstream.key} is not loaded: {SEE_STATUS}" if reason == PLUGIN_FAILED else ""
        return ServerFailed(reason, message[: 3 * ERROR_CHARACTERS], status=status, told=told, refused=refused)

    async def whole(self, response: PodResponse) -> bytes:
        """The body of an answer that is not endless.

        Raises:
            ServerFailed: if it breaks off, or is longer than 8 MiB.
        """
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.upstream.timeout):
                while part := await response.some():
                    size += len(part)
                    if size > ANSWER_BYTES:
                        raise ServerFailed(
                            "AnswerTooLarge",
                            f"the server of plugin {self.upstream.key} sent more than {ANSWER_BYTES // 2**20} MiB",
                        )
                    parts.append(part)
        except (aiohttp.ClientError, TimeoutError, ConnectionError, InvalidAnswer) as error:
            server = f"the server of plugin {self.upstream.key}"
            said, told = f"{server} broke off: {_said(error)}", f"{server} broke off"
            raise ServerFailed("InvalidAnswer", said, told=told) from None
        return b"".join(parts)


def _literal(host: str) -> str:
    """The host if it is an address; empty for a name."""
    try:
        ip_address(host)
    except ValueError:
        return ""
    return host


def media_type(response: PodResponse) -> str:
    """The media type in small letters; empty without one."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _cause(error: Exception) -> str:
    """Why there is no connection, in the system's words and not in those of the HTTP client."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted, {cause.verify_message}"
    if number := _errno(error):
        return os.strerror(number).lower()
    if isinstance(cause, socket.gaierror):
        return str(cause.strerror).lower()
    return _said(cause or error)


def _errno(error: Exception) -> int:
    """The system's number of why there is no connection; 0 if it has none."""
    cause = getattr(error, "os_error", None)
    if not isinstance(cause, OSError) or isinstance(cause, ssl.SSLError):
        return 0
    return max(cause.errno or 0, 0)


def _said(error: Exception) -> str:
    """A server's words in one line of bearable length."""
    return " ".join((str(error) or type(error).__name__).split())[:ERROR_CHARACTERS]
