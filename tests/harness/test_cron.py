"""Cron expressions that Harness would refuse, or that would never fire."""

import pytest

from scripts.harness.cron import complaints
from tests.harness.conftest import Break


@pytest.mark.parametrize(
    "expression",
    [
        "0 3 * * *",
        "5 0 * * 5",
        "0 1 * * MON",
        "45 13 13 09 Tue",
        "*/15 8-18 * * MON-FRI",
        "0,30 0 1,15 * 0-7",
        "0 0 29 2 *",
        "0 0 31 2 SUN",
    ],
)
def test_one_that_fires_passes(expression: str) -> None:
    assert list(complaints(expression)) == []


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("0 3 * *", "has 4 fields; write these five: minute, hour, day of the month, month, day of the week"),
        ("0 0 3 * * ?", "has 6 fields"),
        ("60 3 * * *", "'60' is no minute; write *, or numbers from 0 to 59, as 1, 1-5, 1,3 or */2"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 3 0 * *", "'0' is no day of the month"),
        ("0 3 * 13 *", "'13' is no month; write *, or numbers from 1 to 12 or JAN to DEC"),
        ("0 3 * * 8", "'8' is no day of the week"),
        ("0 3 * * MOON", "'MOON' is no day of the week"),
        ("0 3 * JUN-MAI *", "'JUN-MAI' is no month"),
        ("0 18-8 * * *", "'18-8' is no hour"),
        ("*/0 3 * * *", "'*/0' is no minute"),
        ("5/2 3 * * *", "'5/2' is no minute"),
        ("0 3, * * *", "'' is no hour"),
        ("a b c d e", "'a' is no minute"),
        ("0 0 31 2,4 *", "never fires: no such month has such a day"),
    ],
)
def test_one_that_does_not_is_refused(expression: str, complaint: str) -> None:
    assert any(complaint in found for found in complaints(expression)), list(complaints(expression))


def test_a_trigger_that_never_fires_is_refused(after: Break) -> None:
    problems = [str(problem) for problem in after("triggers/nightly.yaml", "0 3 * * *", "0 27 * * *")]
    place = "triggers/nightly.yaml: trigger.source.Scheduled.spec.spec.expression: '27' is no hour; write *"
    assert any(place in problem for problem in problems), problems
