"""How many requests a caller may send in a minute. What exceeds that is refused, and told when to come back.

Each replica of the gateway lets its share through, the limit divided by the replicas that are ready: nothing is counted
together, so no request waits for a store. What is kept for a caller is one time (the generic cell rate algorithm),
which holds when the share changes because a replica comes or goes.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from slipway_runtime.gateway.metrics import RATE_LIMITED
from slipway_runtime.problems import Problem, Reason

MINUTE = 60.0
BURST_SECONDS = 10.0
"""What a caller who was quiet may send at once: as much as in so many seconds."""
PRUNE_AT = 10_000
"""Keys from which on those are forgotten whose callers were quiet."""


class Rate:
    """A limit for each of many keys.

    Args:
        per_minute: of one key, through all replicas together; 0 for no limit.
        replicas: how many there are now.
    """

    def __init__(self, per_minute: int, replicas: Callable[[], int], clock: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._replicas = replicas
        self._clock = clock
        self._due: dict[object, float] = {}
        self._prune_at = PRUNE_AT

    def take(self, key: object) -> float:
        """Count one request. Gives the seconds to wait if it is one too many, which is not counted; else 0."""
        if not self.per_minute:
            return 0.0
        now, step = self._clock(), MINUTE * max(1, self._replicas()) / self.per_minute
        due = max(now, self._due.get(key, now))
        if (wait := due - now - BURST_SECONDS) > 0:
            return wait
        self._due[key] = due + step
        if len(self._due) > self._prune_at:
            self._due = {key: due for key, due in self._due.items() if due > now}
            self._prune_at = max(PRUNE_AT, 2 * len(self._due))
        return 0.0


@dataclass(frozen=True)
class RequestLimits:
    """Requests in a minute; 0 for as many as the gateway can take."""

    per_caller: int = 0
    per_caller_and_agent: int = 0


class RateLimits:
    """The limits of one gateway.

    Args:
        replicas: how many gateways share them.
    """

    def __init__(
        self,
        limits: RequestLimits | None = None,
        *,
        replicas: Callable[[], int] = lambda: 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = limits or RequestLimits()
        self._of_caller = Rate(limits.per_caller, replicas, clock)
        self._of_agent = Rate(limits.per_caller_and_agent, replicas, clock)

    def take(self, caller: str) -> None:
        """Count a request of a caller.

        Raises:
            Problem: `RateLimited`.
        """
        _refuse(self._of_caller.take(caller), self._of_caller.per_minute, "")

    def take_for(self, caller: str, agent: object) -> None:
        """Count a request of a caller to an agent.

        Raises:
            Problem: `RateLimited`.
        """
        _refuse(self._of_agent.take((caller, agent)), self._of_agent.per_minute, f" to {agent}")


def _refuse(wait: float, per_minute: int, to_whom: str) -> None:
    if wait > 0:
        RATE_LIMITED.inc()
        raise Problem(
            Reason.RATE_LIMITED,
            f"you may send {per_minute} requests a minute{to_whom}: come back after the seconds in Retry-After",
            retry_after=math.ceil(wait),
        )
