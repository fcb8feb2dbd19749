"""Snowflake's own clients against fakesnow with Cortex Search added: contract-tested, not verified live."""

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from slipway_crds.indexes.connections import SnowflakeConnection
from slipway_runtime.knowledge.vectors.contract import CollectionMissing, VectorsRefused, VectorsUnavailable
from slipway_runtime.knowledge.vectors.external import CollectionTaken
from slipway_runtime.knowledge.vectors.filters import (
    Among,
    Attributes,
    Compare,
    Exists,
    Filter,
    Not,
    UnsupportedFilter,
    holds,
)
from slipway_runtime.knowledge.vectors.snowflake import SnowflakeVectors
from tests.runtime.knowledge.vectors.back_ends import names, unit_vectors
from tests.support.snowflake_server import SnowflakeServer, running

pytestmark = pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning")
COUNT = 250


@pytest.fixture
def server() -> Iterator[SnowflakeServer]:
    with running() as state:
        yield state


def connection(server: SnowflakeServer, **changes: str) -> SnowflakeConnection:
    given = {
        "account": "fake",
        "user": "slipway",
        "token": "right",
        "database": "slipway",
        "schema": "knowledge",
        "warehouse": "w",
        "host": "127.0.0.1",
        "port": server.port,
        "protocol": "http",
    }
    return SnowflakeConnection.model_validate(given | changes)


@pytest.fixture
async def store(server: SnowflakeServer) -> AsyncIterator[SnowflakeVectors]:
    made = SnowflakeVectors(connection(server))
    yield made
    await made.close()


async def test_texts_are_written_counted_found_and_removed(store: SnowflakeVectors) -> None:
    texts = [f"it's number {number}" for number in range(COUNT)]
    await store.upsert_texts("c", names(COUNT), texts)
    await store.upsert_texts("c", ["id-7"], ["cats sleep"])
    assert await store.count("c") == COUNT
    assert await store.present("c", ["id-7", "no"]) == {"id-7"}
    found = await store.search_text("c", "cats sleep", 3)
    assert (found[0].id, found[0].score, len(found)) == ("id-7", 1.0, 3)
    await store.delete("c", ["id-7", "no"])
    assert await store.count("c") == COUNT - 1
    assert await store.settled("c", COUNT - 1)


async def test_a_filter_leaves_what_it_means_or_is_refused(store: SnowflakeVectors) -> None:
    rng = random.Random(3)
    values: tuple[Any, ...] = (1, 1.0, "1", True, "ä'\\", ["a", "b"], [], "x" * 5000)
    attributes: list[Attributes] = [
        {name: rng.choice(values) for name in ("n", "a.b") if rng.random() < 0.7} for _ in range(20)
    ]
    await store.upsert_texts("c", names(20), ["text"] * 20, attributes)
    wheres: list[Filter] = [
        *(Compare("n", op, value) for op in ("eq", "ne") for value in (1, "1", True, "a", "ä'\\", "x" * 5000)),
        *(Among("a.b", op, (1, "b")) for op in ("in", "not_in", "contains_any")),
        Exists("n"),
        Exists("n", present=False),
        Not(Exists("a.b")),
    ]
    for where in wheres:
        found = {match.id for match in await store.search_text("c", "text", 50, where)}
        assert found == {f"id-{number}" for number, each in enumerate(attributes) if holds(where, each)}, where
    with pytest.raises(UnsupportedFilter, match="no operator gt"):
        await store.search_text("c", "text", 50, Compare("n", "gt", 1))


async def test_a_collection_that_is_missing_is_empty_to_read_and_an_error_to_search(store: SnowflakeVectors) -> None:
    assert await store.count("c") == 0
    assert await store.present("c", ["a"]) == set()
    await store.delete("c", ["a"])
    await store.drop("c")
    assert not await store.exists("c")
    with pytest.raises(CollectionMissing):
        await store.search_text("c", "text", 3)


async def test_a_service_that_has_not_followed_yet_is_not_settled(
    store: SnowflakeVectors, server: SnowflakeServer
) -> None:
    await store.upsert_texts("c", ["a"], ["text"])
    server.lag = True
    assert not await store.settled("c", 1)


async def test_a_wrong_token_is_told(server: SnowflakeServer) -> None:
    store = SnowflakeVectors(connection(server, token="wrong"))
    with pytest.raises(VectorsUnavailable, match="correct the Secret") as raised:
        await store.count("c")
    assert "wrong" not in str(raised.value)
    await store.close()


async def test_a_key_that_is_none_is_told(server: SnowflakeServer) -> None:
    given = connection(server).model_copy(update={"token": None, "private_key": "none"})
    with pytest.raises(VectorsRefused, match="BEGIN PRIVATE KEY"):
        await SnowflakeVectors(given).count("c")


async def test_a_search_that_fails_is_unavailable_and_comes_back(
    store: SnowflakeVectors, server: SnowflakeServer
) -> None:
    await store.upsert_texts("c", ["a"], ["text"])
    server.search_failures = [400]
    with pytest.raises(VectorsUnavailable):
        await store.search_text("c", "text", 3)
    assert len(await store.search_text("c", "text", 3)) == 1


async def test_a_statement_that_the_server_has_no_time_for_is_sent_again(
    store: SnowflakeVectors, server: SnowflakeServer
) -> None:
    await store.upsert_texts("c", ["a"], ["text"])
    server.failures = [503]
    assert await store.count("c") == 1
    assert server.failures == []


async def test_two_installations_do_not_write_one_collection(store: SnowflakeVectors, server: SnowflakeServer) -> None:
    await store.claim("c", "demo/handbook of installation one")
    await store.claim("c", "demo/handbook of installation one")
    with pytest.raises(CollectionTaken, match="belongs to demo/handbook of installation one"):
        await store.claim("c", "demo/handbook of installation two")


async def test_vectors_are_refused_with_what_to_use(store: SnowflakeVectors) -> None:
    with pytest.raises(VectorsRefused, match="upsert_texts"):
        await store.upsert("c", ["a"], unit_vectors(1))
    with pytest.raises(VectorsRefused, match="search_text"):
        await store.search("c", unit_vectors(1)[0], 3)
