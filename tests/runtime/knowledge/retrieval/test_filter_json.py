"""The JSON form of filters, and what is told about one that is none."""

from typing import Any

import pytest

from slipway_runtime.knowledge.retrieval.filter_json import InvalidFilter, read_filter
from slipway_runtime.knowledge.vectors.filters import AllOf, Among, AnyOf, Compare, Exists, Filter, Not

TEAM = {"field": "team", "op": "eq", "value": "billing"}


@pytest.mark.parametrize(
    ("json", "expected"),
    [
        (TEAM, Compare("team", "eq", "billing")),
        ({"field": "year", "op": "gte", "value": 2020}, Compare("year", "gte", 2020)),
        ({"field": "tags", "op": "contains_any", "value": ["a", "b"]}, Among("tags", "contains_any", ("a", "b"))),
        ({"field": "team", "op": "exists"}, Exists("team")),
        ({"field": "team", "op": "exists", "value": False}, Exists("team", present=False)),
        (
            {"and": [{"or": [TEAM]}, {"not": TEAM}]},
            AllOf((AnyOf((Compare("team", "eq", "billing"),)), Not(Compare("team", "eq", "billing")))),
        ),
    ],
)
def test_conditions_and_what_joins_them(json: Any, expected: Filter) -> None:
    assert read_filter(json) == expected


@pytest.mark.parametrize(
    ("json", "told"),
    [
        ({"field": "team", "op": "like", "value": "b"}, "where.op: there is no operator 'like'; there are eq, ne"),
        ({"and": [TEAM, {"team": "billing"}]}, 'where.and[1]: write {"field"'),
        ({"field": "team", "op": "in", "value": "billing"}, "where.value: in takes a list"),
        ({"field": "team", "op": "eq", "value": None}, "found by exists"),
        ({"field": "team", "op": "eq", "value": "a", "boost": 2}, "where: write"),
        ({"and": [TEAM], "or": [TEAM]}, "where: write"),
        ({}, "where: write"),
        ([], "where: write"),
    ],
)
def test_what_is_no_filter_is_named(json: Any, told: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        read_filter(json)
    assert told in str(caught.value)


def test_a_filter_has_bounds() -> None:
    deep: Any = TEAM
    for _ in range(20):
        deep = {"not": deep}
    with pytest.raises(InvalidFilter, match="levels deep"):
        read_filter(deep)
    with pytest.raises(InvalidFilter, match="at most 64"):
        read_filter({"or": [TEAM] * 65})
