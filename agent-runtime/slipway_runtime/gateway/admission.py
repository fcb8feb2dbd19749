"""How much the gateway takes on. Beyond that it says so at once, instead of letting everybody wait."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Full(Exception):
    """The bound is reached."""


class Bound:
    """Counts what is going on and refuses what exceeds the limit.

    As many places again are kept for calls of agents, and of what is left half for each further depth: those who wait
    for an answer cannot take the places of those whom they wait for.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    @contextmanager
    def slot(self, *, depth: int = 0) -> Iterator[None]:
        """Take a place for as long as the block lasts.

        Args:
            depth: how many agents called each other on the way here.

        Raises:
            Full: if there is none.
        """
        if self.taken >= 2 * self.limit - (self.limit >> depth):
            raise Full
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


@dataclass
class Held:
    """What one request holds of a `Pool`, in bytes."""

    pool: "Pool"
    size: int = 0

    def take(self, size: int) -> None:
        """Hold this much more. Raises Full if there is not so much left."""
        if size > self.pool.left:
            raise Full
        self.pool.left -= size
        self.size += size


class Pool:
    """Memory that all requests have in common for what is long, so that their number does not multiply its bound."""

    def __init__(self, size: int) -> None:
        self.left = size

    @contextmanager
    def held(self) -> Iterator[Held]:
        """What a request takes within the block is given back at its end."""
        held = Held(self)
        try:
            yield held
        finally:
            self.left += held.size


class Shares:
    """Counts what each caller has under way, so that none of them takes what all of them need."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken: Counter[str] = Counter()

    @contextmanager
    def slot(self, caller: str) -> Iterator[None]:
        """Take one of the caller's places for as long as the block lasts.

        Raises:
            Full: if the caller has none left.
        """
        if self.taken[caller] >= self.limit:
            raise Full
        self.taken[caller] += 1
        try:
            yield
        finally:
            self.taken[caller] -= 1
            if not self.taken[caller]:
                del self.taken[caller]
