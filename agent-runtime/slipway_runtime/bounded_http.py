"""HTTP/1 with bounds: what a connection may send, and how long it may take, before anybody knows who is calling.

uvicorn on httptools sets no bound on the head of a request, on the framing of a body or on the time that either takes.
This protocol counts bytes as they arrive, so that a connection holds at most a head and a body of known sizes. What
exceeds a bound gets an error answer, and the connection is closed.
"""

import asyncio
import functools
from asyncio import TimerHandle
from enum import Enum, auto
from typing import Any, ClassVar

import httptools
from prometheus_client import Counter
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from slipway_runtime.http_limits import HttpLimits
from slipway_runtime.problems import Problem, Reason

REFUSED = Counter("slipway_http_refused", "Requests refused for how they were sent, by reason.", ["reason"])

PIECE_BYTES = 4096
"""Bytes parsed at a time: how far a head may exceed its bound before that is noticed."""
SINGLE = frozenset({b"host", b"authorization", b"x-api-key", b"content-type", b"x-slipway-identity"})
"""Headers that decide who asks, whom and what. Two of them could mean one thing to a proxy and another here."""


class _Phase(Enum):
    IDLE = auto()
    """Between requests."""
    HEAD = auto()
    BODY = auto()


class _Refused(Exception):
    """Stops the parser: the request is refused."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def bounded(limits: HttpLimits) -> type[asyncio.Protocol]:
    """The protocol class for one server with these limits."""

    class Bounded(_BoundedProtocol):
        pass

    Bounded.limits, Bounded.most, Bounded.waiting = limits, limits.within_files(), {}
    return Bounded


class _BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    limits: ClassVar[HttpLimits]
    most: ClassVar[int]
    waiting: ClassVar[dict["_BoundedProtocol", None]]
    """The server's connections on which no request is being answered, the longest waiting first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase = _Phase.IDLE
        self._message = 0
        self._spent = 0  # bytes of this phase that the parser was given
        self._head = 0  # bytes of URLs and headers that are held
        self._count = 0  # headers that are held
        self._single: set[bytes] = set()
        self._body = 0
        self._body_bytes = self.limits.body_bytes
        self._body_seconds = self.limits.body_seconds
        self._offered = False  # the request offers another protocol
        self._deaf = False  # nothing that still comes is looked at
        self._deadline: TimerHandle | None = None
        self._stalled: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting[self] = None
        self._within(self.limits.head_seconds)
        if len(self.connections) > self.most:
            oldest = next(iter(self.waiting))
            if oldest is self:  # every other one is being answered
                self._refuse(Problem(Reason.OVERLOADED, f"there are {self.most} connections already: come back later"))
            else:
                oldest.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.pop(self, None)
        self._within(None)
        if self._stalled:
            self._stalled.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        try:
            for start in range(0, len(data), PIECE_BYTES):
                self._feed(data[start : start + PIECE_BYTES])
        except _Refused as refused:
            self._refuse(refused.problem)
            return
        if self._phase is _Phase.IDLE and not self._answering and self._deadline is None:
            self._within(self.limits.head_seconds)  # line breaks before a request

    def _feed(self, piece: bytes) -> None:
        """Parse a piece, and count it where it all belongs to one head or one body."""
        before = self._message, self._phase
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, _Refused):
                raise error.__context__ from None
            raise _malformed("it cannot be read") from None
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(piece[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            raise _malformed(str(error)) from None
        if (self._message, self._phase) != before:
            self._spent = 0
            return
        self._spent += len(piece)
        if self._phase is _Phase.HEAD and self._spent > self.limits.head_bytes:
            raise self._head_too_large()
        framed = max(self._body, self.limits.body_bytes) + self.limits.framing_bytes
        if self._phase is _Phase.BODY and self._spent > framed:  # chunk sizes and trailers, however long a body may be
            raise self._body_too_large()

    def _stay(self, rest: bytes) -> None:
        """Read a request anew that offers another protocol: the parser stops at such an offer and would lose the body.

        Java's client offers HTTP/2 with every first request.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise _malformed("this is no proxy")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        kept = [(name, value) for name, value in self.headers if name not in (b"upgrade", b"connection")]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            kept.append((b"connection", b"close"))
        head = b"".join(b"%s: %s\r\n" % header for header in kept)
        self._offered, self._head, self._count = False, 0, 0
        self._feed(b"%s %s HTTP/1.1\r\n%s\r\n" % (method, self.url, head))
        self._feed(rest)

    # What the parser calls

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._deadline is None:
            self._within(self.limits.head_seconds)
        self._message += 1
        self._phase = _Phase.HEAD
        self._single = set()
        self._body = 0
        if not self._answering:
            self._head = self._count = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.url_bytes:
            raise _Refused(
                Problem(
                    Reason.URL_TOO_LONG,
                    f"the URL may have at most {self.limits.url_bytes} bytes: send long texts in the body",
                )
            )
        self._hold(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is _Phase.BODY:
            return  # a trailer: nobody reads it, and it must not pass for a header
        self._count += 1
        if self._count > self.limits.headers:
            raise _Refused(
                Problem(Reason.HEADERS_TOO_LARGE, f"send at most {self.limits.headers} headers, not {self._count}")
            )
        self._hold(len(name) + len(value) + 4)
        lower = name.lower()
        if lower in SINGLE:
            if lower in self._single:
                raise _malformed(f"it has two headers {name.decode('latin-1')}")
            self._single.add(lower)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self._offered = True
            return
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"0")
        announced = int(length[:20]) if length.isdigit() else 0
        self._body_bytes = self.limits.body_bytes_at(self.url)
        if announced > self._body_bytes:
            raise self._body_too_large()
        if self._answering:
            has_body = b"transfer-encoding" in headers or length.strip(b"0") != b""
            if has_body or len(self.pipeline) >= self.limits.pipelined:
                raise _malformed("it was sent before the one in front of it was answered")
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self.waiting.pop(self, None)
        self._body_seconds = self.limits.seconds_for(announced)
        self._within(self._body_seconds)

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        if self._body > self._body_bytes:
            raise self._body_too_large()
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._offered:
            return
        super().on_message_complete()
        self._phase = _Phase.IDLE
        self._within(None)

    # Answering

    @property
    def _answering(self) -> bool:
        """Whether a request that was read before is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] != "1.1":
            app = functools.partial(_unchunked, app, cycle)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._within(self.limits.stall_seconds)  # for what is not sent yet
        elif not self._answering:
            self.waiting[self] = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.limits.stall_seconds, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def timeout_keep_alive_handler(self) -> None:
        self.abort()  # a close would wait for a client that does not read

    # Refusing

    def _within(self, seconds: float | None) -> None:
        """Begin a deadline in place of the one that there is; None for none."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        self._deadline = None
        if self._deaf or self._phase is _Phase.IDLE or self.transport.is_closing():
            self.abort()  # a silent client, or one that was refused already
            return
        what, seconds = "headers", self.limits.head_seconds
        if self._phase is _Phase.BODY:
            what, seconds = "body", self._body_seconds
        self._refuse(
            Problem(Reason.SLOW_REQUEST, f"the {what} did not arrive within {seconds:g} s: send the request whole")
        )

    def _refuse(self, problem: Problem) -> None:
        """Answer with a problem if an answer can still be given, look at nothing that still comes, and close."""
        self._deaf = True
        self._within(None)
        REFUSED.labels(problem.reason).inc()
        if self._phase is _Phase.BODY:
            if self.cycle.response_started:
                self.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        elif self._answering:
            self.cycle.keep_alive = False  # what came before is answered, and closes the connection
            return
        head = [STATUS_LINE[problem.status], b"connection: close\r\n"]
        body = problem.body()
        for name, value in {**problem.headers(), "content-length": str(len(body))}.items():
            head.append(f"{name}: {value}\r\n".encode())
        self.transport.write(b"".join([*head, b"\r\n", body]))
        self._linger()

    def _linger(self) -> None:
        """Close for writing at once and for reading a little later: what is unread at a close resets the connection,
        and the client might never read its answer."""
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.waiting[self] = None
        self._within(self.limits.linger_seconds)

    def abort(self) -> None:
        """Close now, whatever is not sent yet."""
        self._deaf = True
        self.waiting.pop(self, None)
        self.transport.abort()

    def _head_too_large(self) -> _Refused:
        return _Refused(
            Problem(
                Reason.HEADERS_TOO_LARGE,
                f"URL and headers may have at most {self.limits.head_bytes} bytes: send fewer cookies",
            )
        )

    def _body_too_large(self) -> _Refused:
        return _Refused(
            Problem(
                Reason.QUESTION_TOO_LARGE,
                f"the body may have at most {self._body_bytes} bytes: send less",
            )
        )

    def _hold(self, size: int) -> None:
        self._head += size
        if self._head > self.limits.head_bytes:
            raise self._head_too_large()


def _malformed(what: str) -> _Refused:
    return _Refused(Problem(Reason.MALFORMED_REQUEST, f"the HTTP request is refused: {what}"))


async def _unchunked(app: Any, cycle: RequestResponseCycle, scope: Any, receive: Any, send: Any) -> None:
    """Answer a client that knows no chunks (HTTP/1.0): the end of the connection ends what has no length."""
    without_length = False

    async def unchunked(message: Any) -> None:
        nonlocal without_length
        if message["type"] == "http.response.start":
            without_length = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
            cycle.chunked_encoding = False if without_length else None
        elif without_length:
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    await app(scope, receive, unchunked)
