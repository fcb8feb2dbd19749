"""A new gateway passes if it serves as the old ones do, and not for want of requests."""

import pytest
from prometheus_client import REGISTRY, generate_latest

from scripts.deploy.metrics import Bars, Sample, grown, objections, read
from slipway_runtime.gateway import metrics

BUCKETS = {0.1: 0.9, 0.5: 0.99, float("inf"): 1.0}


def sample(requests: float = 100, errors: float = 0, slower: float = 1) -> Sample:
    return Sample(requests, errors, {bound * slower: share * requests for bound, share in BUCKETS.items()})


def test_the_names_are_those_of_the_gateway() -> None:
    before = read(generate_latest(REGISTRY).decode())
    for code, seconds in (("200", 0.2), ("404", 0.2), ("500", 3), ("503", 3)):
        metrics.REQUESTS.labels(namespace="demo", agent="a", code=code).inc()
        metrics.SECONDS.labels(namespace="demo", agent="a").observe(seconds)
    counted = read(generate_latest(REGISTRY).decode()) - before
    assert (counted.requests, counted.errors) == (4, 2)
    assert counted.buckets[0.25] == 2
    assert counted.buckets[float("inf")] == 4


def test_the_percentile_lies_between_two_bounds() -> None:
    assert Sample(buckets={1: 90, 2: 100, float("inf"): 100}).p95() == pytest.approx(1.5)
    assert Sample(buckets={1: 0, float("inf"): 100}).p95() == 1
    assert Sample().p95() == 0


@pytest.mark.parametrize(
    ("candidate", "says"),
    [
        (sample(), ""),
        (sample(errors=1), ""),
        (sample(errors=3), "3.0% of its answers are errors"),
        (sample(slower=2), "95 of 100 of its answers take up to"),
        (sample(requests=10), "the new gateway answered 10 requests, and 50 are needed"),
        (Sample(), "the new gateway answered 0 requests"),
    ],
)
def test_what_speaks_against_a_candidate(candidate: Sample, says: str) -> None:
    found = objections(sample(), candidate, Bars())
    assert bool(found) == bool(says)
    assert says in "; ".join(found)


def test_what_was_bad_before_is_not_held_against_it() -> None:
    assert objections(sample(errors=20, slower=3), sample(errors=20, slower=3), Bars()) == []


def test_without_callers_of_the_old_ones_there_is_no_verdict() -> None:
    (found,) = objections(Sample(), sample(), Bars())
    assert "the old gateways answered 0 requests" in found


def test_a_pod_that_started_anew_counts_whole_and_one_that_went_counts_not() -> None:
    before = {"a": sample(100, 5), "b": sample(100), "gone": sample(100, 100)}
    after = {"a": sample(160, 6), "b": sample(20, 2), "new": sample(10)}
    counted = grown(before, after)
    assert (counted.requests, counted.errors) == (60 + 20 + 10, 1 + 2)
