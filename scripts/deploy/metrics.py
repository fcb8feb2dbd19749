"""What gateways counted, and whether a new one serves as well as the old ones. Pure.

Samples are counted, not minutes: with too few requests there is no verdict, which is not a good one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

REQUESTS, SECONDS = "slipway_gateway_requests_total", "slipway_gateway_request_seconds_bucket"


@dataclass(frozen=True)
class Sample:
    """Counters of one gateway or several, all agents together."""

    requests: float = 0
    errors: float = 0
    """Answers of 500 and above."""
    buckets: Mapping[float, float] = field(default_factory=dict)
    """Requests that took at most so many seconds."""

    def __add__(self, other: "Sample") -> "Sample":
        return self._with(other, 1)

    def __sub__(self, other: "Sample") -> "Sample":
        return self._with(other, -1)

    def _with(self, other: "Sample", sign: int) -> "Sample":
        bounds = {*self.buckets, *other.buckets}
        return Sample(
            self.requests + sign * other.requests,
            self.errors + sign * other.errors,
            {bound: self.buckets.get(bound, 0) + sign * other.buckets.get(bound, 0) for bound in bounds},
        )

    @property
    def error_rate(self) -> float:
        return self.errors / self.requests if self.requests else 0

    def p95(self) -> float:
        """Seconds within which 95 of 100 requests ended, reckoned between two bounds as Prometheus does."""
        bounds = [0.0, *sorted(self.buckets)]
        counts = {0.0: 0.0, **self.buckets}
        wanted = 0.95 * max(counts.values())
        for below, bound in pairwise(bounds):
            if counts[bound] >= wanted > counts[below]:
                share = (wanted - counts[below]) / (counts[bound] - counts[below])
                return below if bound == float("inf") else below + share * (bound - below)
        return 0


@dataclass(frozen=True)
class Bars:
    """What a new gateway must reach."""

    requests: int = 50
    errors: float = 0.01
    """How much higher its share of errors may be."""
    slowness: float = 1.25
    """How many times longer its 95th percentile may be."""
    noise_s: float = 0.05
    """What is no difference between two percentiles."""


def read(text: str) -> Sample:
    """The counters of one gateway's /metrics."""
    requests = errors = 0.0
    buckets: dict[float, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == REQUESTS:
                requests += sample.value
                errors += sample.value if sample.labels["code"].startswith("5") else 0
            elif sample.name == SECONDS:
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0) + sample.value
    return Sample(requests, errors, buckets)


def together(samples: Iterable[Sample]) -> Sample:
    """The sum of several gateways."""
    return sum(samples, Sample())


def grown(before: Mapping[str, Sample], after: Mapping[str, Sample]) -> Sample:
    """What was counted between two readings, by pod. A pod that is new, or whose counters began anew, counts whole."""
    return together(
        now - before[pod] if pod in before and before[pod].requests <= now.requests else now
        for pod, now in after.items()
    )


def objections(baseline: Sample, candidate: Sample, bars: Bars) -> list[str]:
    """What speaks against the candidate; nothing if it serves as well as the baseline."""
    few = [
        f"{who} answered {each.requests:.0f} requests, and {bars.requests} are needed to compare: let more come by"
        for who, each in (("the new gateway", candidate), ("the old gateways", baseline))
        if each.requests < bars.requests
    ]
    if few:
        return few
    found = []
    if candidate.error_rate > baseline.error_rate + bars.errors:
        found.append(f"{candidate.error_rate:.1%} of its answers are errors, of the others' {baseline.error_rate:.1%}")
    slow, usual = candidate.p95(), baseline.p95()
    if slow > usual * bars.slowness + bars.noise_s:
        found.append(f"95 of 100 of its answers take up to {slow:.2f} s, of the others' {usual:.2f} s")
    return found
