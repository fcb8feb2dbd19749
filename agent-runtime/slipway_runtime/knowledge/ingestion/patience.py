"""Asking a store again that is away: the one retry policy of ingestions."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from slipway_runtime.knowledge.vectors.contract import VectorsFull, VectorsUnavailable
from slipway_runtime.store.database import StoreUnavailable

T = TypeVar("T")


async def patiently(step: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """Do a step, and again while a store is away, ever more slowly, for so many seconds.

    Raises:
        StoreUnavailable, VectorsUnavailable: if it is still away then; a store that is full is not asked again.
    """
    attempts = AsyncRetrying(
        retry=retry_if_exception(_is_away),
        wait=wait_exponential_jitter(multiplier=0.5, max=10),
        stop=stop_after_delay(seconds),
        reraise=True,
    )
    async for attempt in attempts:
        with attempt:
            return await step()
    raise AssertionError("tenacity raises the last error")


def _is_away(error: BaseException) -> bool:
    return isinstance(error, StoreUnavailable | VectorsUnavailable) and not isinstance(error, VectorsFull)
