"""A pod that fails again and again is left alone for a while, and is never the reason that nobody answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from slipway_runtime.gateway import routes
from slipway_runtime.gateway.routes import EJECTED_SECONDS, EJECTED_SECONDS_AT_MOST, FAILURES, PodEndpoint, RouteTable
from tests.runtime.gateway.conftest import ANSWER, CHAT, QUESTION, SUPPORT, Front, StartFront, StartHost
from tests.support.servers import free_port


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(routes, "time", clock)
    return clock


def test_a_failing_end_point_is_the_last_choice_for_a_bounded_time(clock: Clock) -> None:
    table = RouteTable()
    table.set(SUPPORT, ["http://bad", "http://good"])
    bad, good = table.endpoints(SUPPORT)
    for _ in range(FAILURES):
        assert table.pick(SUPPORT) is bad
        bad.failed()
    assert table.pick(SUPPORT) is good
    good.in_flight = 50
    assert table.pick(SUPPORT) is good
    assert table.pick(SUPPORT, avoid=[good]) is bad  # better than nobody
    clock.now += EJECTED_SECONDS
    assert table.pick(SUPPORT) is bad
    assert bad.failed()  # once is enough then, and it lasts longer
    clock.now += EJECTED_SECONDS
    assert table.pick(SUPPORT) is good
    clock.now += EJECTED_SECONDS
    assert table.pick(SUPPORT) is bad
    bad.succeeded()
    assert not bad.failed()


def test_it_is_never_left_alone_for_longer_than_a_minute(clock: Clock) -> None:
    endpoint = PodEndpoint("http://bad")
    for _ in range(100):
        endpoint.failed()
    assert endpoint.ejected_until == clock.now + EJECTED_SECONDS_AT_MOST


def test_failures_that_are_not_in_a_row_do_not_count(clock: Clock) -> None:
    endpoint = PodEndpoint("http://fine")
    for _ in range(100):
        assert not endpoint.failed()
        endpoint.succeeded()


@asynccontextmanager
async def slamming() -> AsyncIterator[tuple[str, Callable[[], int]]]:
    """A pod that takes connections and closes them when it has read a request; with how many it had."""
    had, port = 0, free_port()

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal had
        had += 1
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(slam, "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}", lambda: had


async def ask(front: Front) -> str:
    async with front.client.post(CHAT, json=QUESTION) as response:
        assert response.status == 200
        return str((await response.json())["answer"])


async def test_callers_do_not_notice_and_the_pod_gets_no_more_requests(
    start_front: StartFront, start_host: StartHost, clock: Clock
) -> None:
    _, good = await start_host()
    front = await start_front()
    async with slamming() as (bad, had):
        front.routes.set(SUPPORT, [bad, good])
        for _ in range(10):
            assert await ask(front) == ANSWER
        assert had() == FAILURES
        clock.now += EJECTED_SECONDS
        assert await ask(front) == ANSWER
        assert had() == FAILURES + 1
        assert await ask(front) == ANSWER
        assert had() == FAILURES + 1
