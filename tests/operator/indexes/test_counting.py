"""The vectors on the servers of indexes: counted on a real Chroma, and asked of servers that misbehave."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway_operator.core.cache import ResourceKey
from slipway_operator.indexes import counting
from slipway_operator.indexes.content import Collection, Counted
from slipway_operator.indexes.counting import ANSWER_BYTES, ASK_AGAIN_SECONDS, COUNT_AGAIN_SECONDS, Counting
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from tests.support.servers import free_port
from tests.support.waiting import until

KEY = ResourceKey("VectorIndex", "demo", "handbook")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def collection(url: str, name: str = "demo.handbook.r1", *, chunks: int = 6) -> Collection:
    return Collection(url=url, name=name, chunks=chunks, server=("uid", 1.0), job="uid-job")


class Clocked:
    """A counting whose clock the test moves, and the keys that it enqueued."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.now = 0.0
        self.enqueued: list[ResourceKey] = []
        self.counting = Counting(http, enqueue=self.enqueued.append, clock=lambda: self.now)

    async def counted(self, desired: Collection) -> Counted:
        """What is known once the count that is under way has ended."""
        before = len(self.enqueued)
        self.counting.of(KEY, desired)
        await until(lambda: len(self.enqueued) > before, "it was counted")
        return self.counting.of(KEY, desired)


@pytest.fixture
async def clocked() -> AsyncIterator[Clocked]:
    async with aiohttp.ClientSession() as http:
        made = Clocked(http)
        tasks = [asyncio.create_task(made.counting.work_forever()) for _ in range(2)]
        yield made
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[str]:
    """A server that answers everything in one way."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(application)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


async def test_a_real_chroma_is_counted_again_after_ten_minutes(chroma_url: str, clocked: Clocked) -> None:
    name = f"demo.index-{secrets.token_hex(4)}.r1"
    desired = collection(chroma_url, name)
    chroma = ChromaServer(chroma_url)
    assert clocked.counting.of(KEY, desired) == Counted(pending=True)
    assert await clocked.counted(desired) == Counted(vectors=0), "there is no such collection"
    await chroma.upsert(name, [str(number) for number in range(6)], np.eye(6, dtype=np.float32))
    assert clocked.counting.of(KEY, desired) == Counted(vectors=0)
    assert clocked.counting.due_in(KEY) == COUNT_AGAIN_SECONDS
    clocked.now += COUNT_AGAIN_SECONDS
    assert await clocked.counted(desired) == Counted(vectors=6)
    await chroma.delete(name, ["1", "2"])
    clocked.now += COUNT_AGAIN_SECONDS
    assert await clocked.counted(desired) == Counted(vectors=4)
    await chroma.close()


async def test_another_start_of_the_server_is_counted_at_once(chroma_url: str, clocked: Clocked) -> None:
    desired = collection(chroma_url, f"demo.index-{secrets.token_hex(4)}.r1")
    await clocked.counted(desired)
    for other in (replace(desired, server=("uid", 2.0)), replace(desired, job="another"), replace(desired, chunks=7)):
        assert clocked.counting.of(KEY, other) == Counted(pending=True)
        assert await clocked.counted(other) == Counted(vectors=0)


async def test_a_server_that_cannot_be_reached_has_lost_nothing_and_is_asked_again_soon(clocked: Clocked) -> None:
    desired = collection(f"http://127.0.0.1:{free_port()}")
    assert await clocked.counted(desired) == Counted(vectors=None)
    assert clocked.counting.due_in(KEY) == ASK_AGAIN_SECONDS


async def test_what_was_counted_stands_while_the_server_does_not_answer(clocked: Clocked) -> None:
    answers: list[int] = [404, 503]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0))

    async with served(answer) as url:
        desired = collection(url)
        assert await clocked.counted(desired) == Counted(vectors=0)
        clocked.now += COUNT_AGAIN_SECONDS
        assert await clocked.counted(desired) == Counted(vectors=0)
    assert answers == []


def _json(value: Any, count: Any = None) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(count if request.path.endswith("/count") else value)

    return answer


async def _not_json(_: web.Request) -> web.Response:
    return web.Response(text="<html>")


async def _broken(_: web.Request) -> web.Response:
    return web.Response(status=500, text="internal error")


@pytest.mark.parametrize(
    "answer",
    [
        _not_json,
        _broken,
        _json([]),
        _json({"name": "x"}),
        _json({"id": "x"}, -1),
        _json({"id": "x"}, "6"),
        _json({"id": "x"}, True),
        _json({"id": "x"}, {}),
    ],
)
async def test_a_server_that_answers_nonsense_has_lost_nothing(clocked: Clocked, answer: Answer) -> None:
    async with served(answer) as url:
        assert await clocked.counted(collection(url)) == Counted(vectors=None)


async def test_no_redirect_is_followed(clocked: Clocked) -> None:
    paths = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        raise web.HTTPFound("/secret")

    async with served(redirect) as url:
        assert await clocked.counted(collection(url)) == Counted(vectors=None)
    assert len(paths) == 1


async def test_no_more_is_read_than_a_description_takes(clocked: Clocked) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while sent < 1000 * ANSWER_BYTES:
                await response.write(b" " * ANSWER_BYTES)
                sent += ANSWER_BYTES
        return response

    async with served(endless) as url:
        assert await clocked.counted(collection(url)) == Counted(vectors=None)
    assert sent < 500 * ANSWER_BYTES


async def test_an_id_that_a_server_makes_up_leads_nowhere_else(clocked: Clocked) -> None:
    paths = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.raw_path)
        return web.json_response(6 if request.raw_path.endswith("count") else {"id": "../../../livez?x="})

    async with served(answer) as url:
        assert await clocked.counted(collection(url)) == Counted(vectors=6)
    assert paths[1].endswith("/collections/..%2F..%2F..%2Flivez%3Fx%3D/count")


async def test_a_server_that_hangs_keeps_nobody_waiting(clocked: Clocked, chroma_url: str) -> None:
    hangs = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        hangs.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with served(hang) as url:
        slow = ResourceKey("VectorIndex", "demo", "slow")
        assert clocked.counting.of(slow, collection(url)) == Counted(pending=True)
        await hangs.wait()
        assert clocked.counting.of(slow, collection(url)) == Counted(pending=True), "who looks does not wait"
        assert await clocked.counted(collection(chroma_url, "demo.none.r1")) == Counted(vectors=0)


async def test_a_server_that_hangs_is_given_up(clocked: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "TIMEOUT", aiohttp.ClientTimeout(total=0.05))

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError, ConnectionResetError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.01)
        return response

    async with served(drip) as url:
        assert await clocked.counted(collection(url)) == Counted(vectors=None)


async def test_an_index_that_is_gone_is_forgotten(chroma_url: str, clocked: Clocked) -> None:
    await clocked.counted(collection(chroma_url, "demo.none.r1"))
    assert clocked.counting.of(KEY, None) == Counted()
    assert clocked.counting.due_in(KEY) is None
