"""What the operator takes from a pod's answer into a status, whatever the pod answers."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from slipway_operator.core import peek
from slipway_operator.core.readiness import SILENT, ReportedReadiness
from tests.support.servers import free_port

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
StartPod = Callable[[Handler], Awaitable[None]]
POD = "127.0.0.1"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartPod]:
    """Serve a pod at the port that the operator asks."""
    port = free_port()
    monkeypatch.setattr(peek, "HTTP_PORT", port)
    runners = []

    async def start(handler: Handler) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        runners.append(web.AppRunner(app, shutdown_timeout=0.1))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], POD, port).start()

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_what_a_host_and_an_ingestion_say(http: aiohttp.ClientSession, start: StartPod) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/progress":
            return web.json_response({"text": "3/12 documents, 240 chunks"})
        return web.json_response(
            {
                "ready": False,
                "missing": ["the store", "the index handbook"],
                "warnings": ["no key"],
                "answers": ["no broker"],
            },
            status=503,
        )

    await start(answer)
    assert await peek.readiness_of(http, POD) == ReportedReadiness(
        "the store; the index handbook", "no key", answers="no broker"
    )
    assert await peek.progress_of(http, POD) == "3/12 documents, 240 chunks"


@pytest.mark.parametrize(
    "body",
    [
        b'{"missing": "one text", "detail": "another"}',
        b'{"missing": [1, {"a": 2}, null]}',
        b'["missing"]',
        b"[" * 10_000,
        b'{"missing": ["' + b"x" * 20_000 + b'"]}',
        gzip.compress(b'{"missing": ["packed"]}'),
        b"",
    ],
    ids=["no list", "no texts", "no object", "deep", "long", "packed", "empty"],
)
async def test_an_answer_that_no_host_gives_says_nothing(
    http: aiohttp.ClientSession, start: StartPod, body: bytes
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    await start(answer)
    assert await peek.readiness_of(http, POD) == SILENT


@pytest.mark.parametrize(("status", "kind"), [(200, "text/html"), (404, "application/json")])
async def test_only_json_of_a_host_is_read(
    http: aiohttp.ClientSession, start: StartPod, status: int, kind: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text='{"missing": ["x"], "text": "x"}', content_type=kind, status=status)

    await start(answer)
    assert (await peek.readiness_of(http, POD), await peek.progress_of(http, POD)) == (SILENT, "")


async def test_text_is_short_and_on_one_line(http: aiohttp.ClientSession, start: StartPod) -> None:
    async def answer(_: web.Request) -> web.Response:
        many = ["\x1b[31mred\nline\u202e"] + ["y" * 400] * 20
        return web.json_response({"missing": many, "text": "z\r\n" * 500})

    await start(answer)
    said = (await peek.readiness_of(http, POD)).missing
    assert said.startswith("[31mred line; yyy")
    assert said.isprintable()
    assert len(said) == peek.MESSAGE_MAX
    assert said.endswith("yyy…")
    assert len(await peek.progress_of(http, POD)) <= peek.PROGRESS_MAX


async def test_what_is_wrong_with_each_of_eight_models_is_kept(http: aiohttp.ClientSession, start: StartPod) -> None:
    sentences = [
        f"model m{number} ({'x' * 250}): write a valid key into the Secret that apiKeyRef names" for number in range(8)
    ]

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"missing": [], "warnings": sentences})

    await start(answer)
    assert (await peek.readiness_of(http, POD)).warnings == "; ".join(sentences)


async def test_no_redirect_is_followed(http: aiohttp.ClientSession, start: StartPod) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/secret":
            return web.json_response({"missing": ["the secret"]})
        return web.Response(status=307, headers={"Location": "/secret"})

    await start(answer)
    assert await peek.readiness_of(http, POD) == SILENT
    assert asked == ["/readyz"]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_endless_answer_is_not_kept(http: aiohttp.ClientSession, start: StartPod, encoding: str) -> None:
    block = b" " * 65_536 if encoding == "identity" else gzip.compress(b" " * 100_000_000)

    async def answer(request: web.Request) -> web.StreamResponse:
        kind = {"Content-Type": "application/json", "Content-Encoding": encoding}
        response = web.StreamResponse(headers=kind)
        await response.prepare(request)
        while True:
            await response.write(block)

    await start(answer)
    tracemalloc.start()
    try:
        assert await peek.readiness_of(http, POD) == SILENT
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


async def test_a_pod_that_drips_is_not_waited_for(
    http: aiohttp.ClientSession, start: StartPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peek, "TIMEOUT", aiohttp.ClientTimeout(total=0.2))

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(json.dumps({"missing": ["x"]}).encode())
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    await start(answer)
    assert await peek.readiness_of(http, POD) == SILENT
