"""The real driver of MongoDB against a server that speaks its protocol: contract-tested, not verified live."""

from collections.abc import AsyncIterator

import pytest

from slipway_crds.indexes.connections import MongoConnection, parse_connection
from slipway_runtime.knowledge.vectors.contract import CollectionMissing, VectorsUnavailable
from slipway_runtime.knowledge.vectors.external import CollectionTaken
from slipway_runtime.knowledge.vectors.filters import AllOf, Among, Compare, Exists, Not
from slipway_runtime.knowledge.vectors.mongodb import MongoVectors
from tests.runtime.knowledge.vectors.back_ends import names, unit_vectors
from tests.support.mongo_server import UNAVAILABLE, MongoServer


@pytest.fixture
async def server() -> AsyncIterator[MongoServer]:
    async with MongoServer() as running:
        yield running


def connected(server: MongoServer, *, timeout: float = 5.0, prefix: str = "slipway.") -> MongoVectors:
    connection = parse_connection("mongodb", server.uri)
    assert isinstance(connection, MongoConnection)
    return MongoVectors(connection.model_copy(update={"prefix": prefix}), timeout=timeout)


@pytest.fixture
async def store(server: MongoServer) -> AsyncIterator[MongoVectors]:
    made = connected(server)
    yield made
    await made.close()


async def test_an_attribute_that_comes_later_is_declared_in_the_search_index(store: MongoVectors) -> None:
    await store.upsert("c", ["a"], unit_vectors(1))
    await store.upsert("c", ["b"], unit_vectors(1, seed=1), [{"year": 2026}])
    later = Compare("year", "gt", 2000)
    assert [match.id for match in await store.search("c", unit_vectors(1)[0], 5, later)] == ["b"]


async def test_an_attribute_that_no_chunk_has_is_not_asked_for(store: MongoVectors, server: MongoServer) -> None:
    await store.upsert("c", ["a"], unit_vectors(1))
    assert await store.search("c", unit_vectors(1)[0], 5, Compare("year", "gt", 2000)) == []
    assert [match.id for match in await store.search("c", unit_vectors(1)[0], 5, Not(Exists("year")))] == ["a"]


async def test_a_search_index_is_waited_for(server: MongoServer) -> None:
    server.builds = 2
    store = connected(server)
    await store.upsert("c", ["a"], unit_vectors(1))
    assert [match.id for match in await store.search("c", unit_vectors(1)[0], 5)] == ["a"]
    assert await store.settled("c", 1)
    await store.close()


async def test_a_search_index_that_is_being_built_is_unavailable(server: MongoServer) -> None:
    writer, reader = connected(server), connected(server)
    await writer.upsert("c", ["a"], unit_vectors(1))
    server.indexes["slipway.c"]["looks"] = 5
    with pytest.raises(VectorsUnavailable, match="still building"):
        await reader.search("c", unit_vectors(1)[0], 5)
    assert not await reader.settled("c", 1)
    await writer.close()
    await reader.close()


async def test_a_cut_connection_in_the_middle_of_writing_loses_nothing(
    store: MongoVectors, server: MongoServer
) -> None:
    await store.upsert("c", ["a"], unit_vectors(1))
    server.cut = 2
    await store.upsert("c", names(600), unit_vectors(600))
    assert server.cut == 0
    assert await store.count("c") == 601


async def test_a_server_that_shuts_down_is_unavailable_and_comes_back(store: MongoVectors, server: MongoServer) -> None:
    await store.upsert("c", ["a"], unit_vectors(1))
    server.refuse = UNAVAILABLE
    with pytest.raises(VectorsUnavailable, match="shutting down"):
        await store.search("c", unit_vectors(1)[0], 5)
    server.refuse = None
    assert len(await store.search("c", unit_vectors(1)[0], 5)) == 1


async def test_a_wrong_password_is_told_at_once(server: MongoServer) -> None:
    uri = server.uri.replace("mongodb://", "mongodb://user:wrong@")
    store = MongoVectors(MongoConnection(uri=uri, database="slipway"), timeout=5)
    with pytest.raises(VectorsUnavailable, match="correct the Secret of its connectionRef") as raised:
        await store.upsert("c", ["a"], unit_vectors(1))
    assert "wrong" not in str(raised.value)
    await store.close()


async def test_a_server_that_is_silent_is_given_up(server: MongoServer) -> None:
    store = connected(server, timeout=0.5)
    server.silent.clear()
    with pytest.raises(VectorsUnavailable, match="cannot be reached"):
        await store.count("c")
    await store.close()


async def test_two_installations_do_not_write_one_collection(store: MongoVectors, server: MongoServer) -> None:
    await store.claim("demo.handbook.r-1", "demo/handbook of installation one")
    await store.claim("demo.handbook.r-1", "demo/handbook of installation one")
    other = connected(server)
    with pytest.raises(CollectionTaken, match="belongs to demo/handbook of installation one") as raised:
        await other.claim("demo.handbook.r-1", "demo/handbook of installation two")
    assert "demo/handbook of installation two may not write it" in str(raised.value)
    await other.close()
    apart = connected(server, prefix="two.")
    await apart.claim("demo.handbook.r-1", "demo/handbook of installation two")
    await apart.close()


async def test_a_dropped_collection_is_nobody_s(store: MongoVectors, server: MongoServer) -> None:
    await store.claim("c", "one")
    await store.upsert("c", ["a"], unit_vectors(1))
    await store.drop("c")
    await store.claim("c", "two")
    with pytest.raises(CollectionMissing):
        await store.search("c", unit_vectors(1)[0], 5)


async def test_collections_with_long_names_are_kept_apart(store: MongoVectors) -> None:
    long = "n" * 200
    await store.upsert(f"{long}.one", ["a"], unit_vectors(1))
    await store.upsert(f"{long}.two", ["b"], unit_vectors(1))
    assert await store.present(f"{long}.one", ["a", "b"]) == {"a"}


async def test_filters_have_a_meaning_where_there_is_nothing_to_choose_from(store: MongoVectors) -> None:
    await store.upsert("c", ["a"], unit_vectors(1), [{"year": 1}])
    query = unit_vectors(1)[0]
    assert await store.search("c", query, 5, Among("year", "in", ())) == []
    assert len(await store.search("c", query, 5, AllOf(()))) == 1
