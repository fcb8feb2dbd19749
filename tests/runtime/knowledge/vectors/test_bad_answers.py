"""What answers in Chroma's place is read up to a limit, and its redirects are not followed."""

import gzip
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from tests.support.servers import free_port


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" " * 65_536)


async def _redirect(request: web.Request) -> web.StreamResponse:
    if request.path == "/elsewhere":
        return web.json_response([])
    return web.Response(status=307, headers={"Location": "/elsewhere"})


async def _packed(_: web.Request) -> web.StreamResponse:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=gzip.compress(b" " * 100_000_000), headers=headers)


async def _html(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<p>hello</p>", content_type="text/html")


@pytest.mark.parametrize(
    ("handler", "words"),
    [(_endless, "more than"), (_redirect, "redirects"), (_packed, "no JSON"), (_html, "no JSON")],
)
async def test_it_counts_as_unavailable(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], words: str
) -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    chroma = ChromaServer(f"http://127.0.0.1:{port}")
    try:
        with pytest.raises(VectorsUnavailable, match=words):
            await chroma.count("x")
    finally:
        await chroma.close()
        await runner.cleanup()
