"""When schedules are due, across missed times and clock changes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_crds.schedules import InvalidSchedule, Schedule

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "since", "now", "due"),
    [
        ("0 6 * * *", "UTC", "2026-11-30T05:00", "2026-11-30T05:59", None),
        ("0 6 * * *", "UTC", "2026-11-30T05:00", "2026-11-30T06:00", "2026-11-30T06:00"),
        ("0 6 * * *", "UTC", "2026-11-30T06:00", "2026-11-30T23:00", None),
        # Missed for a week: the newest one alone is made up for.
        ("0 6 * * *", "UTC", "2026-11-20T06:00", "2026-11-30T05:00", "2026-11-29T06:00"),
        ("*/5 * * * *", "UTC", "2026-01-01T00:00", "2026-11-30T05:03", "2026-11-30T05:00"),
        # 06:00 in Berlin is another time of UTC in winter and in summer.
        ("0 6 * * *", BERLIN, "2026-11-30T00:00", "2026-11-30T12:00", "2026-11-30T05:00"),
        ("0 6 * * *", BERLIN, "2026-07-01T00:00", "2026-07-01T12:00", "2026-07-01T04:00"),
        # 02:30 does not exist on 2026-03-29: due at 03:00 local time, right after the change.
        ("30 2 * * *", BERLIN, "2026-03-28T12:00", "2026-03-29T12:00", "2026-03-29T01:00"),
        # 02:30 comes twice on 2026-10-25: due at the first.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", "2026-10-25T12:00", "2026-10-25T00:30"),
        ("30 2 * * *", BERLIN, "2026-10-25T00:30", "2026-10-25T12:00", None),
    ],
)
def test_the_newest_time_that_has_come_is_due(
    expression: str, zone: str, since: str, now: str, due: str | None
) -> None:
    found = Schedule(expression, zone).due(since=at(since), now=at(now))
    assert found == (at(due) if due else None)


@given(
    expression=st.sampled_from(["*/7 * * * *", "15 * * * *", "30 2 * * *", "0 0 1 * *", "0 12 * * 1", "0 0 29 2 *"]),
    zone=st.sampled_from(["UTC", BERLIN, "America/St_Johns"]),
    since=st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2027, 1, 1)),
    hours=st.integers(0, 24 * 100),
)
def test_nothing_is_due_between_what_is_due_and_now(expression: str, zone: str, since: datetime, hours: int) -> None:
    schedule, began = Schedule(expression, zone), since.replace(tzinfo=UTC)
    now = began + timedelta(hours=hours)
    found = schedule.due(since=began, now=now)
    following = schedule.after(found or began)
    assert found is None or began < found <= now
    assert following is None or following > now


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [
        ("0 6 * *", "UTC", "has not five fields"),
        ("0 25 * * *", "UTC", "Bad hour"),
        ("0 0 31 2 *", "UTC", "Bad day-of-month"),
        ("0 6 * * *", "Mars/Olympus", "no time zone"),
        ("0 6 * * *", "../etc/passwd", "no time zone"),
    ],
)
def test_a_schedule_that_is_none_is_refused(expression: str, zone: str, said: str) -> None:
    with pytest.raises(InvalidSchedule, match=said):
        Schedule(expression, zone)
