"""Waiting for a condition with a deadline, in place of sleeping."""

import asyncio
from collections.abc import Awaitable, Callable

DEADLINE = 30.0


async def until(condition: Callable[[], object], what: str, *, deadline: float = DEADLINE) -> None:
    """Return as soon as the condition holds.

    Raises:
        AssertionError: naming what did not come true in time.
    """
    try:
        async with asyncio.timeout(deadline):
            while not condition():  # noqa: ASYNC110 (the condition may be anything, so there is nothing to be woken by)
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {deadline:g} s: {what}") from None


async def until_async(
    condition: Callable[[], Awaitable[object]], what: str, *, deadline: float = DEADLINE, pause: float = 0.05
) -> None:
    """The same for a condition that has to ask somebody. `pause` is what lies between two questions, in seconds.

    Raises:
        AssertionError: naming what did not come true in time.
    """
    try:
        async with asyncio.timeout(deadline):
            while not await condition():  # noqa: ASYNC110 (as above)
                await asyncio.sleep(pause)
    except TimeoutError:
        raise AssertionError(f"not within {deadline:g} s: {what}") from None


async def until_seen(look: Callable[[], object], what: str, *, deadline: float = DEADLINE) -> None:
    """The same for a look that blocks for a while, such as a command: clients go on meanwhile.

    A kubectl takes a tenth of a second of CPU time, so one after the other would take a core from what is waited for.

    Raises:
        AssertionError: naming what did not come true in time.
    """
    await until_async(lambda: asyncio.to_thread(look), what, deadline=deadline, pause=0.5)
