"""How much a host takes on.

A host works on a bounded number of questions of each agent; beyond that it refuses at once, since a queue would only
make every answer late. A question holds its slot until its run ends, whether or not the client is still there.
"""

from collections import Counter

from slipway_runtime.host.metrics import IN_FLIGHT


class Slot:
    """The right to work on one question, until it is left."""

    def __init__(self, in_flight: Counter[str], agent: str) -> None:
        self._in_flight = in_flight
        self._agent = agent
        self._taken = True
        in_flight[agent] += 1
        IN_FLIGHT.labels(agent).inc()

    def leave(self) -> None:
        """Give the slot back; once is enough, more does nothing."""
        if self._taken:
            self._taken = False
            self._in_flight[self._agent] -= 1
            IN_FLIGHT.labels(self._agent).dec()


class Admission:
    """Counts the questions in flight, by agent."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()

    def enter(self, agent: str, *, limit: int) -> Slot | None:
        """Take a slot; None when `limit` are taken."""
        if self._in_flight[agent] >= limit:
            return None
        return Slot(self._in_flight, agent)
