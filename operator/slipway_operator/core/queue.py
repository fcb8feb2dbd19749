"""One queue for everything that has to be looked at again: de-duplicating, fair between namespaces, level-triggered.

A key that is added while it waits is one entry. A key that is added while it is worked on comes back afterwards, and
is never worked on twice at once. Namespaces take turns, so that one with a thousand agents does not make the others
wait. What failed comes back later and later; what is in order comes back for a check about every ten minutes, at a
moment of its own.
"""

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Callable

from slipway_operator.core import retrying
from slipway_operator.core.cache import ResourceKey

RESYNC_SECONDS = 600.0


class FairQueue:
    """Keys that wait, by namespace. Times are seconds of the given clock."""

    def __init__(self, *, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self._turns: OrderedDict[str, deque[ResourceKey]] = OrderedDict()
        self._waiting: dict[ResourceKey, float] = {}
        self._working: set[ResourceKey] = set()
        self._again: set[ResourceKey] = set()
        self._failures: dict[ResourceKey, int] = {}
        self._timers: dict[ResourceKey, tuple[float, asyncio.TimerHandle]] = {}
        self._available = asyncio.Event()

    def add(self, key: ResourceKey) -> None:
        """Have the key looked at as soon as its turn comes."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = self._clock()
            self._turns.setdefault(key.namespace, deque()).append(key)
            self._available.set()

    def add_after(self, key: ResourceKey, seconds: float) -> None:
        """Have it looked at then, at the latest; an earlier appointment stays."""
        due = self._clock() + seconds
        appointment = self._timers.get(key)
        if appointment is not None:
            if appointment[0] <= due:
                return
            appointment[1].cancel()
        self._timers[key] = (due, asyncio.get_running_loop().call_later(seconds, self._due, key))

    def failed(self, key: ResourceKey, *, at_least: float = 0.0) -> float:
        """Have it looked at again after its back-off, which this returns."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = max(at_least, retrying.delay(retrying.RECONCILE, failures))
        self.add_after(key, delay)
        return delay

    def succeeded(self, key: ResourceKey, *, again_after: float | None) -> None:
        """Forget its failures, and make the next appointment: the one asked for, or the resync."""
        self._failures.pop(key, None)
        resync = RESYNC_SECONDS * random.uniform(0.8, 1.2)
        self.add_after(key, min(resync, again_after) if again_after is not None else resync)

    def forget(self, key: ResourceKey) -> None:
        """The resource is gone."""
        self._failures.pop(key, None)
        appointment = self._timers.pop(key, None)
        if appointment is not None:
            appointment[1].cancel()

    async def take(self) -> ResourceKey:
        """The next key, from the namespace whose turn it is. `done` must follow."""
        while not self._turns:
            self._available.clear()
            await self._available.wait()
        namespace, keys = self._turns.popitem(last=False)
        key = keys.popleft()
        if keys:
            self._turns[namespace] = keys
        del self._waiting[key]
        self._working.add(key)
        return key

    def done(self, key: ResourceKey) -> None:
        """The key may be taken again."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    @property
    def depth(self) -> int:
        """Keys whose turn has not come."""
        return len(self._waiting)

    @property
    def oldest(self) -> float:
        """Seconds that the longest-waiting key has waited."""
        return self._clock() - min(self._waiting.values()) if self._waiting else 0.0

    def _due(self, key: ResourceKey) -> None:
        self._timers.pop(key, None)
        self.add(key)
