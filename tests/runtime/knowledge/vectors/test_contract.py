"""Every back end keeps the vector store's promises; the same tests over all of them."""

from pathlib import Path

import numpy as np
import pytest

from slipway_runtime.knowledge.vectors.chroma_embedded import EmbeddedChroma
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from slipway_runtime.knowledge.vectors.contract import (
    CollectionMissing,
    VectorStore,
    VectorsUnavailable,
)
from slipway_runtime.knowledge.vectors.external import CollectionTaken, Ownable
from tests.runtime.knowledge.vectors.back_ends import names, unit_vectors
from tests.support.servers import ChromaServer as Server
from tests.support.servers import free_port


async def test_search_returns_the_nearest_with_their_similarity(vectors: VectorStore, collection: str) -> None:
    written = unit_vectors(40)
    await vectors.upsert(collection, names(40), written)
    matches = await vectors.search(collection, written[7], 5)
    expected = np.argsort(-(written @ written[7]))[:5]
    assert [match.id for match in matches] == [f"id-{number}" for number in expected]
    assert [match.score for match in matches] == pytest.approx((written @ written[7])[expected], abs=1e-4)


async def test_more_than_one_batch_is_written_whole(vectors: VectorStore, collection: str) -> None:
    await vectors.upsert(collection, names(601), unit_vectors(601))
    assert await vectors.count(collection) == 601
    assert await vectors.present(collection, [*names(601), "no"]) == set(names(601))


async def test_upsert_replaces_by_id(vectors: VectorStore, collection: str) -> None:
    first, second = unit_vectors(2)
    await vectors.upsert(collection, ["a"], first[None])
    await vectors.upsert(collection, ["a"], second[None])
    assert await vectors.count(collection) == 1
    [match] = await vectors.search(collection, second, 5)
    assert match.score == pytest.approx(1.0, abs=1e-4)


async def test_delete_removes_what_is_there_and_ignores_the_rest(vectors: VectorStore, collection: str) -> None:
    await vectors.upsert(collection, names(3), unit_vectors(3))
    await vectors.delete(collection, ["id-1", "never-there"])
    assert await vectors.present(collection, names(3)) == {"id-0", "id-2"}


async def test_a_missing_collection_is_empty_to_read_but_an_error_to_search(
    vectors: VectorStore, collection: str
) -> None:
    assert await vectors.count(collection) == 0
    assert await vectors.present(collection, ["a"]) == set()
    await vectors.delete(collection, ["a"])
    await vectors.drop(collection)
    with pytest.raises(CollectionMissing):
        await vectors.search(collection, unit_vectors(1)[0], 3)


async def test_a_collection_that_was_made_anew_is_found_again(vectors: VectorStore, collection: str) -> None:
    await vectors.upsert(collection, ["old"], unit_vectors(1))
    await vectors.search(collection, unit_vectors(1)[0], 1)
    await vectors.drop(collection)
    assert not await vectors.exists(collection)
    await vectors.upsert(collection, ["new"], unit_vectors(1))
    assert await vectors.exists(collection)
    assert [match.id for match in await vectors.search(collection, unit_vectors(1)[0], 5)] == ["new"]


async def test_another_process_may_drop_and_make_a_collection(chroma_url: str, collection: str) -> None:
    reader, writer = ChromaServer(chroma_url), ChromaServer(chroma_url)
    await writer.upsert(collection, ["old"], unit_vectors(1))
    await reader.search(collection, unit_vectors(1)[0], 1)
    await writer.drop(collection)
    await writer.upsert(collection, ["new"], unit_vectors(1))
    assert [match.id for match in await reader.search(collection, unit_vectors(1)[0], 5)] == ["new"]
    await reader.close()
    await writer.close()


async def test_a_server_that_is_away_is_unavailable_and_comes_back(tmp_path: Path, collection: str) -> None:
    server = Server(tmp_path)
    server.start()
    store = ChromaServer(server.url)
    try:
        await store.upsert(collection, ["a"], unit_vectors(1))
        server.stop(kill=True)
        with pytest.raises(VectorsUnavailable, match="cannot be reached"):
            await store.search(collection, unit_vectors(1)[0], 1)
        server.start()
        assert [match.id for match in await store.search(collection, unit_vectors(1)[0], 1)] == ["a"]
    finally:
        await store.close()
        server.stop()


async def test_a_port_where_nothing_listens_is_unavailable() -> None:
    store = ChromaServer(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(VectorsUnavailable):
        await store.exists("demo.handbook.r1")
    await store.close()


async def test_what_the_server_refuses_is_told(chroma_url: str) -> None:
    store = ChromaServer(chroma_url)
    with pytest.raises(VectorsUnavailable, match="Chroma answered 400"):
        await store.upsert("not a valid name!", ["a"], unit_vectors(1))
    await store.close()


async def test_a_collection_is_whose_it_was_first(vectors: VectorStore, collection: str) -> None:
    if not isinstance(vectors, Ownable):
        assert isinstance(vectors, EmbeddedChroma)  # whose folder is this process's own
        return
    await vectors.claim(collection, "demo/a of one")
    await vectors.upsert(collection, names(1), unit_vectors(1))
    await vectors.claim(collection, "demo/a of one")
    with pytest.raises(CollectionTaken, match="belongs to demo/a of one, and demo/a of two may not write it"):
        await vectors.claim(collection, "demo/a of two")
    await vectors.drop(collection)
    await vectors.claim(collection, "demo/a of two")


@pytest.mark.parametrize("vectors", ["chroma-server", "pgvector", "cockroachdb"], indirect=True)
async def test_what_was_written_without_a_mark_gets_one(vectors: VectorStore, collection: str) -> None:
    assert isinstance(vectors, Ownable)
    await vectors.upsert(collection, names(2), unit_vectors(2))
    await vectors.claim(collection, "demo/a of one")
    with pytest.raises(CollectionTaken):
        await vectors.claim(collection, "demo/a of two")
    assert await vectors.count(collection) == 2
