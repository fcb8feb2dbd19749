"""When an index's sources are read although nothing has changed that the operator sees."""

from datetime import datetime
from typing import Any

import pytest

from slipway_operator.indexes.occasions import Occasion, occasion_of
from tests.support.operator_builds import index


def at(text: str) -> float:
    return datetime.fromisoformat(f"2026-03-{text}:00+00:00").timestamp()


def occasion(now: str, *, created: str = "2026-03-02T10:10:00Z", **spec: Any) -> Occasion:
    return occasion_of(index(**spec), created=created, now=at(now))


HOURLY = {"cron": "0 * * * *"}


def test_an_index_without_schedule_and_annotation_is_read_when_it_changes() -> None:
    assert occasion("02T12:00") == Occasion()
    assert occasion("02T12:00").name == ""


@pytest.mark.proves("VectorIndex.schedule.cron")
def test_the_newest_time_that_has_come_is_due_and_makes_up_for_those_before() -> None:
    assert occasion("02T10:30", schedule=HOURLY) == Occasion(next=at("02T11:00"))
    first = occasion("02T11:20", schedule=HOURLY)
    assert (first.due, first.next) == (at("02T11:00"), at("02T12:00"))
    later = occasion("03T07:59", schedule=HOURLY)
    assert (later.due, later.next) == (at("03T07:00"), at("03T08:00"))
    assert first.name == occasion("02T11:59", schedule=HOURLY).name
    assert later.name not in ("", first.name)


@pytest.mark.proves("VectorIndex.schedule.timeZone")
def test_times_are_those_of_the_zone() -> None:
    daily = {"cron": "30 6 * * *", "timeZone": "America/New_York"}
    assert occasion("03T09:00", schedule=daily).next == at("03T11:30")


def test_another_value_of_the_annotation_is_another_occasion() -> None:
    def named(value: str) -> str:
        model = index()
        metadata = model.metadata.model_copy(update={"annotations": {"slipway.dev/ingest": value}})
        return occasion_of(model.model_copy(update={"metadata": metadata}), created="", now=at("02T12:00")).name

    assert len({"", named("1"), named("2")}) == 3
