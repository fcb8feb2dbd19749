"""What a benchmark finds: figures, some with a bar, and the circumstances without which they mean nothing.

A missed bar is a finding and is shown as one. Every bar is an upper bound: less is better in all that is measured here.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


class BenchmarkFailed(Exception):
    """A benchmark could not be run to its end; the message says what to do."""


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    """The value should not be above it."""
    note: str = ""
    """How it was measured, or why it is what it is."""

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no bar."""
        if self.bar is None:
            return ""
        return "met" if self.value <= self.bar else "missed"


@dataclass(frozen=True, kw_only=True)
class BenchmarkReport:
    """One run of one benchmark."""

    benchmark: str
    taken: str
    """Date and time, UTC."""
    commit: str
    """Of the working copy; with a plus sign where files differed from it."""
    machine: str
    load: float
    """The machine's load average when the run began: above 1 or so, others were at work as well."""
    versions: dict[str, str]
    reduced: bool
    """Run at a small scale, to try the benchmark itself: the figures are no results."""
    figures: list[Figure]
    notes: list[str] = field(default_factory=list)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all are not above, by linear interpolation.

    Raises:
        ValueError: if there are none.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios of values that were taken side by side, round by round."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
