"""What the runtime waits for and tries again: one named policy for each, as a wait strategy of tenacity.

A policy says how long each pause is; the caller says for how long in total, and which errors are worth another try.
Pauses vary at random (jitter), so that processes which lost the same server do not all return to it at once.
"""

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_exponential_jitter,
    wait_fixed,
    wait_incrementing,
    wait_random,
    wait_random_exponential,
)
from tenacity.wait import wait_base

T = TypeVar("T")

INGESTION: wait_base = wait_exponential_jitter(0.5, 10)
"""The store or the vector server of an ingestion: 0.5 s, doubled up to 10 s, up to 1 s of jitter. No client
waits for it."""
COMMIT: wait_base = wait_random(0.15, 0.25)
"""The store that a run's events go to and its session is read from: 0.15 s to 0.25 s, short because a client waits.
Until the run's time is up."""
LOOK: wait_base = wait_random(0.3, 0.5)
"""The store that a followed run is read from: 0.3 s to 0.5 s, as long as the client is kept."""
OPEN_STORE: wait_base = wait_random(0.7, 1.0)
"""The store of a process that starts: 0.7 s to 1 s, without a limit, since its DSN, server, role or schema may come
later. Readiness reports what is missing."""
CONFLICT: wait_base = wait_random_exponential(multiplier=0.1, max=2, min=0.02)
"""A statement of CockroachDB that met another one (SQLSTATE 40001): at random from 20 ms up to 0.1 s, which doubles up
to 2 s. For some seconds."""
WAL: wait_base = wait_random(0.01, 0.05)
"""A SQLite file whose journal another process is just setting up: 10 ms to 50 ms, for as long as its locks are waited
for."""
WATCH: wait_base = wait_random_exponential(multiplier=0.2, max=10, min=0.1)
"""The API server that the gateway mirrors: at random from 0.1 s up to 0.2 s, which doubles up to 10 s. Without a limit:
the gateway serves from its mirror meanwhile."""
POD: wait_base = wait_fixed(0.25)
"""A pod that failed when there is no other: 0.25 s, since it may return under the same address, which no watch reports.
No jitter: requests that are held came at different times."""
CANCEL: wait_base = wait_incrementing(1.0, 2.0)
"""A host that does not know a run yet which its client left: 1 s, then 3 s."""
WEB_SEARCH: wait_base = wait_random(0.3, 0.7)
"""A service that searches the web for a model: 0.3 s to 0.7 s, short because a client waits. For some seconds."""
RECEIVER: wait_base = wait_random_exponential(multiplier=2, max=60, min=1)
"""A receiver of push notifications: at random from 1 s up to 2 s, which doubles up to 60 s. For 15 minutes."""
KAFKA: wait_base = wait_random_exponential(multiplier=0.5, max=15, min=0.5)
"""Brokers of Kafka, and the store that keeps what came from them: at random from 0.5 s up to 0.5 s, which doubles up to
15 s. Without a limit: what waits there is not lost."""
REFUSED: wait_base = wait_random(0.7, 1.0)
"""Pods that are full when a stream is continued: 0.7 s to 1 s, so that a waiting client adds little to the overload."""


async def retry(
    step: Callable[[], Awaitable[T]],
    *,
    policy: wait_base,
    on: Callable[[BaseException], bool],
    seconds: float = math.inf,
    failed: Callable[[BaseException], None] | None = None,
) -> T:
    """Do a step until it succeeds, fails for another reason, or has failed for so many seconds.

    Args:
        on: whether an error is worth another try.
        failed: called with each such error, the last one included.

    Raises:
        Exception: the last error of the step.
    """
    try:
        return await step()  # nearly always: without what tenacity makes for a retry
    except Exception as error:
        if not on(error):
            raise
        former = [error]

    async def once() -> T:
        if former:
            raise former.pop()
        return await step()

    def after(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if failed is not None and error is not None:
            failed(error)

    attempts = AsyncRetrying(
        retry=retry_if_exception(on), wait=policy, stop=stop_after_delay(seconds), after=after, reraise=True
    )
    return await attempts(once)


def delay(policy: wait_base, failures: int = 1) -> float:
    """Seconds to pause after so many failures in a row, for a loop that goes on for ever and waits in its own way."""
    state = RetryCallState(AsyncRetrying(), None, (), {})
    state.attempt_number = failures
    return policy(state)
