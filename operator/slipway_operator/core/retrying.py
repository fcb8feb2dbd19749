"""What the operator waits for and tries again: one named policy for each, as a wait strategy of tenacity.

All retry without a limit; failures are logged, and reported in the status of the resource that they concern. Only the
leader works, so jitter is needed only where many objects fail together.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_fixed
from tenacity.wait import wait_base

T = TypeVar("T")

RECONCILE_MAX_SECONDS = 60.0


class Spread(wait_base):
    """Another policy's pause, more or less by up to a fifth."""

    def __init__(self, policy: wait_base) -> None:
        self._policy = policy

    def __call__(self, retry_state: RetryCallState) -> float:
        return self._policy(retry_state) * random.uniform(0.8, 1.2)


RECONCILE: wait_base = Spread(wait_exponential(multiplier=0.5, max=RECONCILE_MAX_SECONDS))
"""A resource whose reconcile failed: 0.5 s, doubled up to 60 s, plus or minus a fifth, since one cause fails many."""
LEASE: wait_base = wait_fixed(1.0)
"""A lease that another replica holds, or an API server that does not answer about it: a second, less than it lasts."""
WATCH: wait_base = wait_fixed(1.0)
"""A watch of ConfigMaps that broke: a second. It continues where it stopped."""
STORE: wait_base = wait_fixed(5.0)
"""A Postgres that refuses an index, or Jobs of a deleted index that still run: 5 s."""
DELETED_NAMESPACES: wait_base = wait_fixed(10.0)
"""The API server and Postgres, to look for namespaces that were deleted: 10 s in place of the usual pause."""


async def retry(
    step: Callable[[], Awaitable[T]],
    *,
    policy: wait_base,
    on: type[Exception],
    failed: Callable[[BaseException], None],
) -> T:
    """Do a step until it succeeds or fails for another reason. `failed` is called with each error of type `on`."""

    async def once() -> T:  # tenacity awaits coroutine functions only, and callers pass lambdas
        return await step()

    def after(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            failed(error)

    return await AsyncRetrying(retry=retry_if_exception_type(on), wait=policy, after=after, reraise=True)(once)


def delay(policy: wait_base, failures: int = 1) -> float:
    """Seconds to pause after so many failures in a row, for a queue or a loop that waits in its own way."""
    state = RetryCallState(AsyncRetrying(), None, (), {})
    state.attempt_number = failures
    return policy(state)
