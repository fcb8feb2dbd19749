"""A filter means the same on every back end: what `holds` says, over random attributes and random filters."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from slipway_runtime.knowledge.vectors.contract import CollectionMissing, VectorStore
from slipway_runtime.knowledge.vectors.filters import (
    AllOf,
    Among,
    AnyOf,
    Attributes,
    Compare,
    Exists,
    Filter,
    Not,
    Scalar,
    UnsupportedFilter,
    holds,
)
from tests.runtime.knowledge.vectors.back_ends import names, unit_vectors

STRINGS = ("", "a", "b", "aa", "Ä", "日本", "a\0", "a\1", "\0", "\1", "1", "true", "null", 'q"\\', "z")
NUMBERS: tuple[Scalar, ...] = (0, 1, 1.0, -1, 2.5, 10**15, -(10**15), 0.1)
FIELDS = ("s", "n", "mixed", "tags", "$odd", "", "a.b", "ü", "nul\0", 'q"')
RECORDS = 60
FILTERS = 150


def _value(rng: random.Random) -> Scalar:
    return rng.choice((*STRINGS, *NUMBERS, True, False))


def _attributes(rng: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {
        "s": rng.choice(STRINGS),
        "n": rng.choice(NUMBERS),
        "mixed": _value(rng),
        "tags": rng.sample(STRINGS, rng.randint(0, 3)),
    }
    made |= {field: rng.choice(([*STRINGS[:3]], *STRINGS[:4], *NUMBERS[:3])) for field in FIELDS[4:]}
    return {field: value for field, value in made.items() if rng.random() < 0.7}


def _filter(rng: random.Random, depth: int = 3) -> Filter:
    kind = rng.random()
    if depth and kind < 0.5:
        parts = tuple(_filter(rng, depth - 1) for _ in range(rng.choice((0, 1, 2, 2, 3))))
        return rng.choice((AllOf(parts), AnyOf(parts), Not(_filter(rng, depth - 1))))
    field = rng.choice(FIELDS)
    if kind < 0.8:
        return Compare(field, rng.choice(("eq", "ne", "gt", "gte", "lt", "lte")), _value(rng))
    if kind < 0.92:
        values = tuple(_value(rng) for _ in range(rng.randint(0, 3)))
        return Among(field, rng.choice(("in", "not_in", "contains_any")), values)
    return Exists(field, rng.random() < 0.5)


async def _filled(vectors: VectorStore, collection: str, attributes: Sequence[Attributes]) -> None:
    await vectors.upsert(collection, names(len(attributes)), unit_vectors(len(attributes)), attributes)


async def _left(vectors: VectorStore, collection: str, where: Filter, count: int = RECORDS) -> set[str]:
    return {match.id for match in await vectors.search(collection, unit_vectors(1)[0], count, where)}


async def test_random_filters_leave_what_they_mean(vectors: VectorStore, collection: str) -> None:
    rng = random.Random(7)
    attributes = [_attributes(rng) for _ in range(RECORDS)]
    await _filled(vectors, collection, attributes)
    refused = 0
    for _ in range(FILTERS):
        where = _filter(rng)
        meant = {f"id-{number}" for number, each in enumerate(attributes) if holds(where, each)}
        try:
            assert await _left(vectors, collection, where) == meant, where
        except UnsupportedFilter:
            refused += 1
    assert refused < FILTERS * (0.5 if "not" in vectors.capabilities.filters else 0.75)


@pytest.mark.parametrize(
    ("where", "left"),
    [
        (Compare("n", "eq", 1), {0, 1}),
        (Compare("n", "eq", True), {2}),
        (Compare("n", "ne", 1), {2, 3, 4, 5}),
        (Not(Compare("n", "gt", 0)), {2, 3, 4, 5}),
        (Among("n", "in", (1, "1", True)), {0, 1, 2, 3}),
        (Among("n", "in", ()), set()),
        (Among("n", "not_in", ()), {0, 1, 2, 3, 4, 5}),
        (Compare("t", "eq", "a"), {4}),
        (Among("t", "contains_any", ("z", "b")), {4}),
        (Exists("t"), {4, 5}),
        (Exists("t", False), {0, 1, 2, 3}),
        (AllOf(()), {0, 1, 2, 3, 4, 5}),
        (AnyOf(()), set()),
        (Compare("missing", "lt", 5), set()),
    ],
)
async def test_what_a_filter_leaves(vectors: VectorStore, collection: str, where: Filter, left: set[int]) -> None:
    attributes: list[Attributes] = [{"n": 1}, {"n": 1.0}, {"n": True}, {"n": "1"}, {"t": ["a", "b"]}, {"t": []}]
    await _filled(vectors, collection, attributes)
    try:
        assert await _left(vectors, collection, where) == {f"id-{number}" for number in left}
    except UnsupportedFilter:
        assert "not" not in vectors.capabilities.filters  # nothing else is a reason to refuse one of these
    assert {number for number, each in enumerate(attributes) if holds(where, each)} == left


async def test_attributes_are_replaced_and_not_added_to(vectors: VectorStore, collection: str) -> None:
    await _filled(vectors, collection, [{"old": "x", "both": 1}, {"old": "x"}])
    await _filled(vectors, collection, [{"both": 2}, {}])
    assert await _left(vectors, collection, Exists("old")) == set()
    assert await _left(vectors, collection, Compare("both", "eq", 2)) == {"id-0"}


async def test_a_number_that_is_not_finite_is_refused_before_the_call(vectors: VectorStore, collection: str) -> None:
    with pytest.raises(UnsupportedFilter, match="finite"):
        await vectors.search(collection, unit_vectors(1)[0], 3, Compare("n", "lt", float("inf")))


async def test_a_missing_collection_is_one_whatever_the_filter(vectors: VectorStore, collection: str) -> None:
    for where in (AnyOf(()), AllOf(()), Compare("n", "eq", 1)):
        with pytest.raises(CollectionMissing):
            await vectors.search(collection, unit_vectors(1)[0], 3, where)
