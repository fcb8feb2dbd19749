"""A new gateway passes if it serves as the old ones do, and not for want of requests."""

import pytest
from prometheus_client import REGISTRY, generate_latest

from scripts.deploy.metrics import Bars, Questions, Sample, Side, grown, objections, read, restarted
from slipway_runtime.gateway import metrics

USUAL = (0.4,) * 60


def side(requests: float = 100, errors: float = 0, *, seconds: tuple[float, ...] = USUAL, failed: int = 0) -> Side:
    return Side(Sample(requests, errors), Questions(seconds, ("new-1: nobody answers",) * failed))


def test_the_names_are_those_of_the_gateway() -> None:
    before = read(generate_latest(REGISTRY).decode())
    for code in ("200", "404", "500", "503"):
        metrics.REQUESTS.labels(namespace="demo", agent="a", code=code).inc()
    counted = grown({"a": before}, {"a": read(generate_latest(REGISTRY).decode())})
    assert (counted.requests, counted.errors) == (4, 2)


def test_the_percentile_is_that_of_the_slowest_but_a_few() -> None:
    assert Questions([float(each) for each in range(1, 101)]).p95() == 95
    assert Questions([0.1, 9.0]).p95() == 9
    assert Questions().p95() == 0


@pytest.mark.parametrize(
    ("candidate", "says"),
    [
        (side(), ""),
        (side(errors=1), ""),
        (side(errors=3), "3.0% of its answers are errors"),
        (side(seconds=(0.8,) * 60), "95 of 100 questions take it up to 0.80 s, the others 0.40 s"),
        (side(seconds=USUAL[:57], failed=3), "5.0% of the questions to it had no answer, to the others 0.0%; the last"),
        (side(requests=10, seconds=USUAL[:10]), "the new gateway answered 10 requests, and 50 are needed"),
        (Side(), "the new gateway answered 0 requests"),
    ],
)
def test_what_speaks_against_a_candidate(candidate: Side, says: str) -> None:
    found = objections(side(), candidate, Bars())
    assert bool(found) == bool(says)
    assert says in "; ".join(found)


def test_what_was_bad_before_is_not_held_against_it() -> None:
    bad = side(errors=20, seconds=(2.0,) * 50, failed=10)
    assert objections(bad, bad, Bars()) == []


def test_callers_who_ask_for_longer_answers_do_not_make_a_gateway_slow() -> None:
    """After the switch only the new gateway meets callers, of whose seconds nothing is taken into account."""
    assert objections(side(requests=60), side(requests=160), Bars()) == []


def test_a_gateway_that_mends_old_ones_that_answer_nothing_is_let_in() -> None:
    assert objections(side(0, seconds=(), failed=60), side(), Bars()) == []


def test_a_gateway_that_answers_no_question_is_refused_also_if_it_counted_no_error() -> None:
    (found,) = objections(side(), side(0, seconds=(), failed=60), Bars())
    assert "100.0% of the questions to it had no answer" in found
    assert "new-1: nobody answers" in found


def test_without_requests_to_the_old_ones_there_is_no_verdict() -> None:
    (found,) = objections(Side(), side(), Bars())
    assert "the old gateways answered 0 requests" in found


def test_a_pod_that_started_anew_counts_whole_and_one_that_went_counts_not() -> None:
    before = {"a": Sample(100, 5), "b": Sample(100), "gone": Sample(100, 100)}
    after = {"a": Sample(160, 6), "b": Sample(20, 2), "new": Sample(10)}
    counted = grown(before, after)
    assert (counted.requests, counted.errors) == (60 + 20 + 10, 1 + 2)


def test_a_pod_that_started_anew_is_seen_by_each_of_its_counters() -> None:
    """It may have answered more since than before, and failed less often."""
    counted = grown({"a": Sample(100, 10)}, {"a": Sample(150, 5)})
    assert (counted.requests, counted.errors) == (150, 5)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ({"new-1": 0}, []),
        ({"new-1": 2}, ["its pod new-1 restarted 2 times"]),
        ({"new-2": 0}, ["its pod new-1 ended"]),
    ],
)
def test_a_pod_that_ended_is_named(after: dict[str, int], says: list[str]) -> None:
    assert restarted({"new-1": 0}, after) == says
