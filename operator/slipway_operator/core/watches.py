"""Whether the watches still deliver.

A watch that silently stalls is the worst failure of an operator: everything looks fine and nothing happens. Two things
show it. The leader's own Lease changes every few seconds and is watched like everything else, so the age of its last
event is the age of the watching as a whole. And every write of ours must come back through the watch of its kind.
"""

import asyncio
from collections.abc import Callable

from slipway_operator.core import metrics
from slipway_operator.core.objects import LEASE

CANARY_SECONDS = 60.0
"""Without a sign of our own Lease for this long, watching has stalled; it is renewed every 5 s."""
ECHO_SECONDS = 90.0
"""A write that has not come back after this never will: kopf itself reconnects idle streams after 70 s."""


class Watches:
    """Signs of life, by kind. Times are of the given clock, in seconds."""

    def __init__(self, *, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self._seen: dict[str, float] = {}
        self._newest: dict[str, int] = {}
        self._expected: dict[str, dict[int, float]] = {}

    def touch(self, kind: str, version: int) -> None:
        """An event has come. Events of a kind come in the order of their versions."""
        self._seen[kind] = self._clock()
        self._newest[kind] = newest = max(version, self._newest.get(kind, 0))
        waited = self._expected.get(kind)
        if waited:
            self._expected[kind] = {each: since for each, since in waited.items() if each > newest}

    def expect(self, kind: str, version: int) -> None:
        """We have written; the watch must deliver this version or a later one, if it has not already done so."""
        if version > self._newest.get(kind, 0):
            self._expected.setdefault(kind, {}).setdefault(version, self._clock())

    def start_canary(self) -> None:
        """From now on the Lease is watched."""
        self._seen[LEASE.name] = self._clock()

    def stalled(self) -> str:
        """What is wrong, or nothing."""
        now = self._clock()
        canary = self._seen.get(LEASE.name)
        if canary is not None and now - canary > CANARY_SECONDS:
            return f"no event of our own Lease for {now - canary:.0f} s"
        for kind, waited in self._expected.items():
            since = min(waited.values(), default=now)
            if now - since > ECHO_SECONDS:
                return f"a write to a {kind} has not come back for {now - since:.0f} s"
        return ""

    def report(self) -> None:
        """Ages, for the metrics."""
        now = self._clock()
        for kind, seen in self._seen.items():
            metrics.WATCH_AGE.labels(kind).set(now - seen)
