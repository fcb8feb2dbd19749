"""The arithmetic of the benchmarks, and what a bar says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Figure, median_ratio, percentile


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([5.0], 99, 5.0),
        ([1.0, 2.0, 3.0], 50, 2.0),
        ([3.0, 1.0, 2.0], 0, 1.0),
        ([3.0, 1.0, 2.0], 100, 3.0),
        ([0.0, 10.0], 95, 9.5),
    ],
)
def test_percentiles(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == pytest.approx(expected)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_lies_between_the_extremes(values: list[float], percent: float) -> None:
    assert min(values) - 1e-6 <= percentile(values, percent) <= max(values) + 1e-6


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_ratios_are_taken_round_by_round() -> None:
    # A machine that was twice as slow for a round changes both sides of it, and not the ratio.
    assert median_ratio([2.0, 4.0, 2.0], [1.0, 2.0, 1.0]) == 2.0


@pytest.mark.parametrize(
    ("value", "bar", "verdict"), [(1.0, None, ""), (1.0, 1.0, "met"), (1.1, 1.0, "missed"), (0.0, 0.0, "met")]
)
def test_a_bar_is_met_or_missed(value: float, bar: float | None, verdict: str) -> None:
    assert Figure("x", value, "s", bar).verdict == verdict
