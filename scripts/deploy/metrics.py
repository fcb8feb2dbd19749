"""Whether a new gateway serves as well as the old ones: by what gateways counted, and by questions asked of both. Pure.

Errors are those of everybody's requests. Seconds are those of the questions alone, which are the same on both sides:
callers ask what they like, and what they ask of one side may take longer than what they ask of the other.
Requests are counted, not minutes: with too few there is no verdict, which is not a good one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

REQUESTS = "slipway_gateway_requests_total"


@dataclass(frozen=True)
class Sample:
    """Counters of one gateway or several, all agents together."""

    requests: float = 0
    errors: float = 0
    """Answers of 500 and above."""

    @property
    def error_rate(self) -> float:
        return self.errors / self.requests if self.requests else 0


@dataclass(frozen=True)
class Questions:
    """What became of the questions to one side."""

    seconds: Sequence[float] = ()
    """How long each answer took."""
    failures: Sequence[str] = ()
    """Why there was no answer, and of which pod."""

    @property
    def asked(self) -> int:
        return len(self.seconds) + len(self.failures)

    @property
    def failure_rate(self) -> float:
        return len(self.failures) / self.asked if self.asked else 0

    def p95(self) -> float:
        """Seconds within which 95 of 100 answers came."""
        return sorted(self.seconds)[math.ceil(0.95 * len(self.seconds)) - 1] if self.seconds else 0


@dataclass(frozen=True)
class Side:
    """The new gateway, or the old ones."""

    counted: Sample = field(default_factory=Sample)
    """Requests of callers, and the questions."""
    questions: Questions = field(default_factory=Questions)

    @property
    def requests(self) -> float:
        """A gateway that nobody can reach counts nothing, but was asked."""
        return max(self.counted.requests, self.questions.asked)


@dataclass(frozen=True)
class Bars:
    """What a new gateway must reach."""

    requests: int = 50
    errors: float = 0.01
    """How much higher its share of errors may be, and that of questions without an answer."""
    slowness: float = 1.25
    """How many times longer its 95th percentile may be."""
    noise_s: float = 0.05
    """What is no difference between two percentiles."""


def read(text: str) -> Sample:
    """The counters of one gateway's /metrics."""
    requests = errors = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == REQUESTS:
                requests += sample.value
                errors += sample.value if sample.labels["code"].startswith("5") else 0
    return Sample(requests, errors)


def together(samples: Iterable[Sample]) -> Sample:
    """The sum of several gateways."""
    found = list(samples)
    return Sample(sum(each.requests for each in found), sum(each.errors for each in found))


def grown(before: Mapping[str, Sample], after: Mapping[str, Sample]) -> Sample:
    """What was counted between two readings, by pod. A pod that is new, or whose counters began anew, counts whole."""
    return together(_since(before.get(pod, Sample()), now) for pod, now in after.items())


def _since(before: Sample, now: Sample) -> Sample:
    if now.requests < before.requests or now.errors < before.errors:
        return now
    return Sample(now.requests - before.requests, now.errors - before.errors)


def restarted(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Which pods ended, by their restarts: what they had counted went with them, so the counters cannot show it."""
    return [
        f"its pod {pod} " + ("ended" if pod not in after else f"restarted {after[pod] - restarts} times")
        for pod, restarts in before.items()
        if after.get(pod) != restarts
    ]


def objections(baseline: Side, candidate: Side, bars: Bars) -> list[str]:
    """What speaks against the candidate; nothing if it serves as well as the baseline."""
    few = [
        f"{who} answered {each.requests:.0f} requests, and {bars.requests} are needed to compare: ask more questions"
        for who, each in (("the new gateway", candidate), ("the old gateways", baseline))
        if each.requests < bars.requests
    ]
    if few:
        return few
    found = []
    new, old = candidate.counted.error_rate, baseline.counted.error_rate
    if new > old + bars.errors:
        found.append(f"{new:.1%} of its answers are errors, of the others' {old:.1%}")
    new, old = candidate.questions.failure_rate, baseline.questions.failure_rate
    if new > old + bars.errors:
        last = candidate.questions.failures[-1]
        found.append(f"{new:.1%} of the questions to it had no answer, to the others {old:.1%}; the last: {last}")
    slow, usual = candidate.questions.p95(), baseline.questions.p95()
    # Where the old ones answer nothing, there is nothing to be slower than.
    if baseline.questions.seconds and slow > usual * bars.slowness + bars.noise_s:
        found.append(f"95 of 100 questions take it up to {slow:.2f} s, the others {usual:.2f} s")
    return found
