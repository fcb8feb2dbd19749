"""The queue: once, in turn, never twice at the same time, and again when asked."""

import asyncio

from slipway_operator.core.cache import ResourceKey
from slipway_operator.core.queue import FairQueue
from slipway_operator.core.retrying import RECONCILE_MAX_SECONDS


def key(name: str, namespace: str = "demo") -> ResourceKey:
    return ResourceKey("Agent", namespace, name)


async def drained(queue: FairQueue, count: int) -> list[ResourceKey]:
    taken = []
    for _ in range(count):
        async with asyncio.timeout(5):
            each = await queue.take()
        queue.done(each)
        taken.append(each)
    return taken


async def test_what_waits_is_not_added_twice() -> None:
    queue = FairQueue()
    for _ in range(3):
        queue.add(key("a"))
    assert queue.depth == 1


async def test_namespaces_take_turns() -> None:
    queue = FairQueue()
    for number in range(100):
        queue.add(key(f"a{number}", "large"))
    queue.add(key("b", "small"))
    taken = await drained(queue, 3)
    assert key("b", "small") in taken, "one namespace's thousand agents do not make another wait"


async def test_a_key_is_never_worked_on_twice_at_once_and_comes_back_afterwards() -> None:
    queue = FairQueue()
    queue.add(key("a"))
    first = await queue.take()
    queue.add(first)
    assert queue.depth == 0
    queue.done(first)
    assert await drained(queue, 1) == [first]


async def test_take_waits_for_work() -> None:
    queue = FairQueue()
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not taking.done()
    queue.add(key("a"))
    async with asyncio.timeout(5):
        assert await taking == key("a")


async def test_an_appointment_brings_the_key_back() -> None:
    queue = FairQueue()
    queue.add_after(key("a"), 0.01)
    assert await drained(queue, 1) == [key("a")]


async def test_the_earlier_appointment_stays() -> None:
    queue = FairQueue()
    queue.add_after(key("a"), 0.01)
    queue.add_after(key("a"), 1000)
    assert await drained(queue, 1) == [key("a")]


async def test_failures_come_back_later_and_later_up_to_a_limit() -> None:
    queue = FairQueue()
    delays = [queue.failed(key("a")) for _ in range(2000)]
    assert delays[0] < 1
    assert delays[3] > delays[0]
    assert max(delays) <= RECONCILE_MAX_SECONDS * 1.2
    queue.succeeded(key("a"), again_after=None)
    assert queue.failed(key("a")) < 1, "success forgets them"


async def test_a_server_that_asks_for_patience_gets_it() -> None:
    assert FairQueue().failed(key("a"), at_least=30) == 30


async def test_what_is_in_order_comes_back_for_a_check() -> None:
    moment = 0.0
    queue = FairQueue(clock=lambda: moment)
    for number in range(50):
        queue.succeeded(key(f"a{number}"), again_after=None)
    due = {round(appointment[0]) for appointment in queue._timers.values()}
    assert min(due) >= 480
    assert max(due) <= 720
    assert len(due) > 10, "not all at once"
    for number in range(50):
        queue.forget(key(f"a{number}"))


async def test_the_oldest_wait_is_known() -> None:
    moment = 10.0
    queue = FairQueue(clock=lambda: moment)
    assert queue.oldest == 0
    queue.add(key("a"))
    moment = 25.0
    queue.add(key("b"))
    assert queue.oldest == 15
