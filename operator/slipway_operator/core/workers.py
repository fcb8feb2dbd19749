"""The loop between queue and controllers: the one place that knows of failures and when to try again."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from slipway_operator.core import metrics
from slipway_operator.core.cache import Cache, ResourceKey
from slipway_operator.core.kube import ApiError
from slipway_operator.core.queue import FairQueue

logger = logging.getLogger(__name__)


class TryAgainError(Exception):
    """Something that a reconcile needs is not as it should be; it is tried again later. The message says what."""


Reconcile = Callable[[ResourceKey], Awaitable[float | None]]


async def work_forever(queue: FairQueue, cache: Cache, controllers: Mapping[str, Reconcile]) -> None:
    """Take keys and look at them, one after the other. Several of these run at once."""
    while True:
        key = await queue.take()
        try:
            await look(key, queue, cache, controllers[key.kind])
        finally:
            queue.done(key)


async def look(key: ResourceKey, queue: FairQueue, cache: Cache, reconcile: Reconcile) -> None:
    """One look at one resource. Whatever goes wrong is logged, counted and tried again later."""
    started = time.perf_counter()
    try:
        wake_after = await reconcile(key)
    except ApiError as error:
        _failed(key, queue, error, at_least=error.retry_after)
    except (TryAgainError, TimeoutError, OSError) as error:
        _failed(key, queue, error)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        # A bug that one object brings to light must not stop the others.
        logger.exception("this is a bug in the operator", extra={"key": "/".join(key)})
        _failed(key, queue, error)
    else:
        metrics.RECONCILES.labels(key.kind, "ok").inc()
        if cache.resource(key) is None:
            queue.forget(key)
        else:
            queue.succeeded(key, again_after=wake_after)
    finally:
        metrics.RECONCILE_SECONDS.labels(key.kind).observe(time.perf_counter() - started)


def _failed(key: ResourceKey, queue: FairQueue, error: Exception, *, at_least: float = 0.0) -> None:
    delay = queue.failed(key, at_least=at_least)
    metrics.RECONCILES.labels(key.kind, "error").inc()
    logger.warning("tried again in %.1f s: %s", delay, error, extra={"key": "/".join(key)})
