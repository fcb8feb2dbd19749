"""How much a host takes on.

A host works on a bounded number of questions of each agent; beyond that it refuses at once, since a queue would only
make every answer late. A question holds its slot until its run ends, whether or not the client is still there.
"""

from collections import Counter

from slipway_runtime.host.metrics import IN_FLIGHT


class Admission:
    """Counts the questions in flight, by agent."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()

    def enter(self, agent: str, *, limit: int) -> bool:
        """Take a slot. False, and nothing taken, when `limit` are taken."""
        if self._in_flight[agent] >= limit:
            return False
        self._in_flight[agent] += 1
        IN_FLIGHT.labels(agent).inc()
        return True

    def leave(self, agent: str) -> None:
        """Give a slot back."""
        self._in_flight[agent] -= 1
        IN_FLIGHT.labels(agent).dec()
