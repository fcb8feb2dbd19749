"""What one connection may do to a server, and that what is allowed still works."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from slipway_runtime.http_limits import HttpLimits
from tests.support.raw_http import Answer, connected, exchange
from tests.support.serving import served
from tests.support.waiting import until, until_async

SMALL = HttpLimits(url_bytes=200, head_bytes=8192, headers=10, body_bytes=1000, framing_bytes=8192, connections=4)
"""Sizes that a test exceeds quickly; times that are out of its way."""
SOON = replace(SMALL, head_seconds=0.2, body_seconds=0.2, linger_seconds=0.2)
GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /read HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE = b"Connection: close\r\n\r\n"

Start = Callable[[HttpLimits], Awaitable[str]]


class Application:
    """Says hello, reads bodies, refuses without reading, streams, and waits."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.waiting = 0
        self.gone = 0
        self.headers: list[tuple[bytes, bytes]] = []

    async def read(self, request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            self.gone += 1
            return Response()
        self.headers = request.scope["headers"]
        return PlainTextResponse(f"read {len(body)}")

    async def wait(self, _: Request) -> Response:
        self.waiting += 1
        await self.gate.wait()
        return PlainTextResponse("waited")

    def app(self) -> Starlette:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"one ", b"two ", b"three"):
                yield piece

        return Starlette(
            routes=[
                Route("/hello", lambda _: PlainTextResponse("hello")),
                Route("/read", self.read, methods=["POST"]),
                Route("/refuse", lambda _: PlainTextResponse("no", status_code=401), methods=["POST"]),
                Route("/stream", lambda _: StreamingResponse(pieces())),
                Route("/wait", self.wait),
            ]
        )


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def start(stack: AsyncExitStack, application: Application) -> Start:
    return lambda limits: stack.enter_async_context(served(application.app(), limits=limits))


@asynccontextmanager
async def many(url: str, number: int) -> AsyncIterator[list[Any]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(url)) for _ in range(number)]


async def whole(url: str, data: bytes) -> Answer:
    answer = await exchange(url, data)
    assert answer.status == 200, answer
    return answer


REFUSED = {
    "many headers": (GET + b"".join(b"X-%d: 1\r\n" % n for n in range(10)) + b"\r\n", 431, "HeadersTooLarge"),
    "large headers": (
        GET + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1500) for n in range(6)) + b"\r\n",
        431,
        "HeadersTooLarge",
    ),
    "an endless header": (GET + b"X-Long: " + b"x" * 20_000, 431, "HeadersTooLarge"),
    "an endless header name": (GET + b"X" * 20_000, 431, "HeadersTooLarge"),
    "a long URL": (b"GET /" + b"x" * 300 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "URLTooLong"),
    "an endless URL": (b"GET /" + b"x" * 20_000, 414, "URLTooLong"),
    "an announced body": (POST + b"Content-Length: 1001\r\n\r\n", 413, "QuestionTooLarge"),
    "a chunked body": (CHUNKED + b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n", 413, "QuestionTooLarge"),
    "endless chunk extensions": (CHUNKED + b"5;" + b"x" * 20_000, 413, "QuestionTooLarge"),
    "an endless trailer": (CHUNKED + b"0\r\nX-Trailer: " + b"x" * 20_000, 413, "QuestionTooLarge"),
    "many small chunks": (CHUNKED + b"1;abcdefghijklmnopqrst\r\nx\r\n" * 900, 413, "QuestionTooLarge"),
    "two hosts": (GET + b"Host: y\r\n\r\n", 400, "MalformedRequest"),
    "two authorizations": (
        GET + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
        400,
        "MalformedRequest",
    ),
    "two keys": (GET + b"X-API-Key: a\r\nX-Api-Key: a\r\n\r\n", 400, "MalformedRequest"),
    "two identities": (GET + b"X-Slipway-Identity: a\r\nX-Slipway-Identity: a\r\n\r\n", 400, "MalformedRequest"),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, "MalformedRequest"),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00", 400, "MalformedRequest"),
    "a path that cannot be decoded": (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "MalformedRequest"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_exceeds_a_bound_is_refused(start: Start, case: str) -> None:
    data, status, reason = REFUSED[case]
    answer = await exchange(await start(SMALL), data)
    assert answer.refusal == (status, reason)
    assert answer.headers["connection"] == "close"


async def test_what_is_within_the_bounds_is_served(start: Start) -> None:
    url = await start(SMALL)
    headers = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 900) for n in range(8))
    assert (await whole(url, GET + headers + CLOSE)).body == b"hello"
    body = b"Content-Length: 1000\r\n" + CLOSE + b"x" * 1000
    assert (await whole(url, POST + body)).body == b"read 1000"
    chunks = b"".join(b"a\r\n" + b"x" * 10 + b"\r\n" for _ in range(100)) + b"0\r\n\r\n"
    assert b"read 1000" in (await whole(url, POST + b"Transfer-Encoding: chunked\r\n" + CLOSE + chunks)).body


async def test_a_trailer_is_no_header(start: Start, application: Application) -> None:
    trailer = b"5\r\nhello\r\n0\r\nX-Slipway-Identity: forged\r\nX-Other: y\r\n\r\n"
    await whole(await start(SMALL), POST + b"Transfer-Encoding: chunked\r\n" + CLOSE + trailer)
    assert b"x-slipway-identity" not in dict(application.headers)


async def test_a_refused_client_reads_why_although_it_still_sends(start: Start) -> None:
    async with connected(await start(SMALL)) as connection:
        await connection.send(POST + b"Content-Length: 4000000\r\n\r\n")
        await connection.flood(b"x" * 65536, total=4_000_000)
        assert (await connection.answer()).refusal == (413, "QuestionTooLarge")


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_a_silent_connection_is_closed(start: Start, sent: bytes) -> None:
    async with connected(await start(SOON)) as connection:
        await connection.send(sent)
        assert await connection.rest() == b""


async def test_line_breaks_do_not_keep_a_connection(start: Start) -> None:
    async with connected(await start(SOON)) as connection:
        await connection.send(GET + b"\r\n")
        await connection.reader.readuntil(b"hello")
        await connection.send(b"\r\n")
        assert await connection.rest() == b""


@pytest.mark.parametrize("first", [b"", GET + b"\r\n"])
async def test_headers_that_come_drop_by_drop_are_not_waited_for(start: Start, first: bytes) -> None:
    async with connected(await start(SOON)) as connection:
        if first:
            await connection.send(first)
            await connection.reader.readuntil(b"hello")
        dripping = asyncio.create_task(drip(connection, GET + b"X-Slow: " + b"x" * 5000))
        assert (await connection.answer()).refusal == (408, "SlowRequest")
        await dripping


@pytest.mark.parametrize("head", [POST + b"Content-Length: 900\r\n\r\n", CHUNKED + b"384\r\n"])
async def test_a_body_that_comes_drop_by_drop_is_not_waited_for(
    start: Start, application: Application, head: bytes
) -> None:
    async with connected(await start(SOON)) as connection:
        await connection.send(head)
        dripping = asyncio.create_task(drip(connection, b"x" * 5000))
        assert (await connection.answer()).refusal == (408, "SlowRequest")
        await dripping
    await until(lambda: application.gone == 1, "the application was released")


async def test_a_body_nobody_reads_is_not_waited_for(start: Start) -> None:
    async with connected(await start(SOON)) as connection:
        await connection.send(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n")
        dripping = asyncio.create_task(drip(connection, b"x" * 5000))
        assert (await connection.rest()).startswith(b"HTTP/1.1 401 ")
        await dripping


async def drip(connection: Any, data: bytes) -> None:
    """Send byte by byte until the other side closes."""
    for position in range(len(data)):
        if connection.reader.at_eof() or not await connection.send(data[position : position + 1]):
            return
        await asyncio.sleep(0.01)


async def test_requests_in_a_row_are_answered_in_order(start: Start) -> None:
    async with connected(await start(SMALL)) as connection:
        await connection.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n" + (GET + b"\r\n") * 3 + GET + CLOSE)
        answers = await connection.rest()
    assert answers.count(b"hello") == 4
    assert answers.index(b"three") < answers.index(b"hello")


async def test_only_so_many_requests_wait_on_a_connection(start: Start, application: Application) -> None:
    async with connected(await start(replace(SMALL, pipelined=2))) as connection:
        await connection.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + (GET + b"\r\n") * 5000)
        await until(lambda: application.waiting == 1, "the first is being answered")
        application.gate.set()
        answers = await connection.rest()
    assert answers.count(b"HTTP/1.1 200") == 3
    assert answers.endswith(b"hello")


async def test_a_request_with_a_body_does_not_wait_behind_another(start: Start, application: Application) -> None:
    async with connected(await start(SMALL)) as connection:
        await connection.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + POST + b"Content-Length: 2\r\n\r\nhi")
        await until(lambda: application.waiting == 1, "the first is being answered")
        application.gate.set()
        assert (await connection.rest()).count(b"HTTP/1.1") == 1


async def test_silent_connections_make_room_for_others(start: Start) -> None:
    url = await start(SMALL)
    async with many(url, 20) as silent:
        assert (await whole(url, GET + CLOSE)).body == b"hello"
        closed = [connection for connection in silent if connection.reader.at_eof()]
        assert len(closed) >= 20 - SMALL.connections


async def test_connections_that_are_answered_are_not_closed_for_others(start: Start, application: Application) -> None:
    url = await start(SMALL)
    async with many(url, SMALL.connections) as asking:
        for connection in asking:
            await connection.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n" + CLOSE)
        await until(lambda: application.waiting == SMALL.connections, "all are being answered")
        assert (await exchange(url, GET + CLOSE)).refusal == (429, "Overloaded")
        application.gate.set()
        assert [(await connection.answer()).body for connection in asking] == [b"waited"] * SMALL.connections

    async def served_again() -> bool:
        return (await exchange(url, GET + CLOSE)).status == 200

    await until_async(served_again, "there is room again")


async def test_a_client_that_does_not_read_its_answers_is_given_up(start: Start, application: Application) -> None:
    url = await start(replace(SMALL, stall_seconds=0.3))
    async with connected(url) as connection:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        async with asyncio.timeout(60):
            while await connection.send((GET + b"\r\n") * 8):
                sent += 1
                await asyncio.sleep(0)
    assert sent


@pytest.mark.parametrize("keep", [b"", b"Connection: keep-alive\r\n"])
async def test_http_1_0_gets_no_chunks(start: Start, keep: bytes) -> None:
    url = await start(SMALL)
    answer = await whole(url, b"GET /stream HTTP/1.0\r\n" + keep + b"\r\n")
    assert answer.body == b"one two three"
    assert "transfer-encoding" not in answer.headers
    answer = await whole(url, b"GET /hello HTTP/1.0\r\n" + keep + b"\r\n")
    assert (answer.body, answer.headers["content-length"]) == (b"hello", "5")
    assert (await exchange(url, GET.replace(b"hello", b"stream") + CLOSE)).headers["transfer-encoding"] == "chunked"


async def test_an_offer_of_another_protocol_is_not_taken_and_loses_no_body(start: Start) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
    url = await start(SMALL)
    async with connected(url) as connection:  # as Java's client does it, which then goes on with the connection
        await connection.send(POST + offer + b"Content-Length: 10\r\n\r\nhello")
        await connection.send(b"hello")
        await connection.reader.readuntil(b"read 10")
        await connection.send(POST + offer + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        await connection.reader.readuntil(b"read 5")
        await connection.send(GET + offer + b"\r\n" + GET + CLOSE)
        assert (await connection.rest()).count(b"hello") == 2
    assert (await exchange(url, b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n")).refusal == (400, "MalformedRequest")


LARGE = replace(SMALL, large_body_bytes=3000, large_paths=re.compile(rb"/read"))


@pytest.mark.parametrize(
    ("path", "size", "says"),
    [(b"/read?x=1", 2500, b"read 2500"), (b"/read", 3001, b"at most 3000 bytes"), (b"/hello", 1001, b"at most 1000")],
)
async def test_some_paths_take_longer_bodies(start: Start, path: bytes, size: int, says: bytes) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (path, size)
    answer = await exchange(await start(LARGE), head + b"x" * size)
    assert says in answer.body


def test_a_long_body_has_time_by_its_length() -> None:
    limits = HttpLimits()
    assert limits.seconds_for(0) == limits.seconds_for(64 * 1024) == 10
    assert limits.seconds_for(8 * 1024 * 1024) == 42


@pytest.mark.parametrize(
    ("path", "large"),
    [
        *((path, True) for path in (b"/v1/chat/completions", b"/agent/chat", b"/agents/a/b/chat?wait=3s")),
        *((path, True) for path in (b"/agents/a/b/runs", b"/agents/a/b/runs/r/input/i")),
        *((path, True) for path in (b"/mcp", b"/agents/a/b/mcp", b"/plugins/a/b/mcp", b"/agents/a/b/ag-ui")),
        *((path, True) for path in (b"/agents/a/b/a2a", b"/agents/a/b/a2a/", b"/agents/a/b/a2a/message:stream")),
        *((path, True) for path in (b"/indexes/a/b/documents", b"/agents/a/b/indexes/i/documents")),
        *((path, False) for path in (b"/indexes/a/b/documents/d", b"/indexes/a/documents/d")),
        *((path, False) for path in (b"/v1/models", b"/agents/a/b/sessions/s", b"/v1/chat/completions/x", b"/")),
    ],
)
def test_which_paths_those_are(path: bytes, large: bool) -> None:
    assert (HttpLimits().body_bytes_at(path) > 64 * 1024) is large
