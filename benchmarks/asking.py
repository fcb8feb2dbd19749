"""Asking many questions, so many at a time, and taking the time of each."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.figures import percentile

Ask = Callable[[str], Awaitable[object]]


@dataclass
class Timing:
    """How long each question took, in seconds, and all of them together."""

    seconds: list[float] = field(default_factory=list)
    wall: float = 0.0

    def ms(self, percent: float) -> float:
        """A percentile in milliseconds."""
        return percentile(self.seconds, percent) * 1e3

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.wall


async def ask_all(ask: Ask, questions: Sequence[str], *, count: int, in_flight: int) -> Timing:
    """Ask `count` questions, the given ones in turn, with `in_flight` of them open at any time."""
    timing = Timing()
    waiting = iter(list(itertools.islice(itertools.cycle(questions), count)))

    async def client() -> None:
        for question in waiting:
            began = time.perf_counter()
            await ask(question)
            timing.seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(client())
    timing.wall = time.perf_counter() - began
    return timing
