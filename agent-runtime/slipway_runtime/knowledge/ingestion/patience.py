"""How long an ingestion waits for stores that are unavailable."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from slipway_runtime import retrying
from slipway_runtime.knowledge.vectors.contract import VectorsFull, VectorsRefused, VectorsUnavailable
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.texts import TextsRefused

PATIENCE = 120.0
"""Seconds for which a store that is unavailable is asked again, before the ingestion gives up."""

T = TypeVar("T")


async def patiently(step: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """What a step returns, which is repeated for as long while a store is unavailable.

    Raises:
        StoreUnavailable, VectorsUnavailable: if it stays so, or if waiting does not help.
    """
    return await retrying.retry(step, policy=retrying.INGESTION, on=unavailable, seconds=seconds)


def unavailable(error: BaseException) -> bool:
    """Whether a store is unavailable, so that asking it again may succeed; one that is full has to be given room."""
    lasting = isinstance(error, VectorsFull | VectorsRefused | TextsRefused)
    return isinstance(error, StoreUnavailable | VectorsUnavailable) and not lasting
