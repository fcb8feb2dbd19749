"""Retrieval finds what answers, in the build that the pointer names, and says what is missing."""

from collections.abc import Sequence

import numpy as np
import pytest

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import VectorsConfig
from slipway_runtime.knowledge.pieces import Piece, PieceKind, encode_pieces, encode_vectors
from slipway_runtime.knowledge.retrieval import retriever as retriever_module
from slipway_runtime.knowledge.retrieval.chunk_cache import ChunkCache, decoded
from slipway_runtime.knowledge.retrieval.found import Found, ranked
from slipway_runtime.knowledge.retrieval.retriever import IndexNotReady, Retriever
from slipway_runtime.knowledge.vectors.contract import Capabilities
from slipway_runtime.knowledge.vectors.servers import VectorServers
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import Build, StoredChunk, delete_build, delete_documents, read_chunks
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.servers import free_port

CATS = "# Cats\n\nCats sleep for most of the day. They hunt at night.\n"
BOATS = "# Boats\n\nA slipway is a ramp on which boats are launched. It leads into the water.\n"
TEA = "# Tea\n\nGreen tea is brewed at eighty degrees. Black tea needs boiling water.\n"


async def ingest(knowledge: Knowledge) -> None:
    await knowledge.ingestion().run(contents(cats_md=CATS, boats_md=BOATS, tea_md=TEA))


async def test_the_chunk_that_answers_comes_first(knowledge: Knowledge) -> None:
    await ingest(knowledge)
    found = await knowledge.retriever().retrieve("How hot should water be for green tea?", [entry()])
    assert found[0].chunk.document == "tea.md"
    assert found[0].score > found[1].score
    assert len(found[0].similarities) == 2


@pytest.mark.proves("Agent.knowledge[].topK")
async def test_top_k_is_how_many_chunks_are_found(local: Knowledge) -> None:
    await ingest(local)
    for top_k in (1, 2, 3):
        assert len(await local.retriever().retrieve("tea", [entry(top_k=top_k)])) == top_k


async def test_several_indexes_are_searched_together(local: Knowledge) -> None:
    await local.ingestion(local.config(index="one")).run(contents(cats_md=CATS))
    await local.ingestion(local.config(index="two")).run(contents(tea_md=TEA))
    found = await local.retriever().retrieve("How is tea brewed?", [entry(index="one"), entry(index="two")])
    assert [each.chunk.document for each in found] == ["tea.md", "cats.md"]


async def test_an_index_that_was_never_built_is_not_ready(knowledge: Knowledge) -> None:
    with pytest.raises(IndexNotReady, match="has not been built yet"):
        await knowledge.retriever().retrieve("tea", [entry()])
    [missing] = await knowledge.retriever().missing([entry()])
    assert missing == f"the index {knowledge.namespace}/handbook has not been built yet"


async def test_nothing_is_missing_once_it_is_built(knowledge: Knowledge) -> None:
    await ingest(knowledge)
    assert await knowledge.retriever().missing([entry()]) == []


async def test_an_index_whose_vectors_are_lost_is_not_ready(knowledge: Knowledge) -> None:
    report = await knowledge.ingestion().run(contents(cats_md=CATS))
    await knowledge.vectors.drop(collection_name(f"{knowledge.namespace}/handbook", report.revision))
    with pytest.raises(IndexNotReady, match="has no vectors"):
        await knowledge.retriever().retrieve("cats", [entry()])
    [missing] = await knowledge.retriever().missing([entry()])
    assert "lost its vectors" in missing


async def test_a_server_that_is_away_is_not_ready(local: Knowledge) -> None:
    await ingest(local)
    servers = VectorServers(f"http://127.0.0.1:{free_port()}")
    unavailable = Knowledge(local.database, servers("demo/handbook", VectorsConfig()), local.embedder, "demo")
    with pytest.raises(IndexNotReady, match="cannot be searched now"):
        await unavailable.retriever().retrieve("cats", [entry()])
    [missing] = await unavailable.retriever().missing([entry()])
    assert "cannot be searched" in missing
    await servers.close()


async def test_an_index_that_has_moved_is_found_though_its_former_server_is_gone(local: Knowledge) -> None:
    await ingest(local)
    servers = VectorServers(f"http://127.0.0.1:{free_port()}")
    gone = servers("demo/handbook", VectorsConfig())
    there = [VectorsConfig(), VectorsConfig(connection="handbook/elsewhere/url")]
    retriever = Retriever(
        "demo",
        database=local.database,
        embedder=local.embedder,
        vectors=lambda _, place: local.vectors if place in there else gone,
    )
    await retriever.retrieve("cats", [entry()])
    there.pop(0)
    with pytest.raises(IndexNotReady, match="cannot be searched now"):
        await retriever.retrieve("cats", [entry()])
    moved = local.config().model_copy(update={"vectors": there[0]})
    await local.ingestion(moved).run(contents(cats_md=CATS))
    assert (await retriever.retrieve("cats", [entry()]))[0].chunk.document == "cats.md"
    await servers.close()


async def test_the_new_build_is_read_as_soon_as_it_is_there(knowledge: Knowledge) -> None:
    await knowledge.ingestion(knowledge.config(max_tokens=100)).run(contents(cats_md=CATS))
    retriever = knowledge.retriever()
    [before] = await retriever.retrieve("cats", [entry()])
    await knowledge.ingestion(knowledge.config(max_tokens=50)).run(contents(cats_md=CATS))
    [after] = await retriever.retrieve("cats", [entry()])
    assert before.build != after.build


async def test_a_document_that_was_removed_is_found_no_more_though_its_chunks_were_read_before(
    knowledge: Knowledge,
) -> None:
    report = await knowledge.ingestion().run(contents(cats_md=CATS, tea_md=TEA))
    retriever = knowledge.retriever()
    assert len(await retriever.retrieve("cats", [entry()])) == 2
    build = Build(f"{knowledge.namespace}/handbook", report.revision)
    await delete_documents(knowledge.database, build, [("docs", "cats.md")])
    [left] = await retriever.retrieve("cats", [entry()])
    assert left.chunk.document == "tea.md"


async def test_a_chunk_is_read_from_the_store_once(local: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    await ingest(local)
    read: list[str] = []

    async def reading(database: Database, build: Build, ids: Sequence[str]) -> list[tuple[StoredChunk, str | None]]:
        read.extend(ids)
        return await read_chunks(database, build, ids)

    monkeypatch.setattr(retriever_module, "read_chunks", reading)
    retriever = local.retriever()
    first, again = [await retriever.retrieve("tea", [entry()]) for _ in range(2)]
    assert [each.chunk for each in again] == [each.chunk for each in first]
    assert len(read) == len(set(read)) == 3


async def test_a_build_that_is_replaced_again_and_again_is_not_ready(local: Knowledge) -> None:
    await ingest(local)

    class Restless:
        capabilities = Capabilities()

        async def search(self, collection: str, vector: object, count: int, where: object = None) -> object:
            size = 60 + len(collection) + restless.searched
            restless.searched += 1
            await local.ingestion(local.config(max_tokens=size)).run(contents(cats_md=CATS))
            return []

        searched = 0

    restless = Restless()
    knowledge = Knowledge(local.database, restless, local.embedder, "demo")  # type: ignore[arg-type]
    with pytest.raises(IndexNotReady, match="replaced again and again"):
        await knowledge.retriever().retrieve("cats", [entry()])
    assert restless.searched == retriever_module.SEARCHES


def test_a_cache_of_chunks_keeps_what_was_used_last_and_no_more_than_fits() -> None:
    made = [decoded(stored(str(number)), dimensions=2) for number in range(4)]
    cache = ChunkCache(most=3 * made[0].size)
    for chunk in made[:3]:
        cache.put(chunk)
    assert cache.get("0") is made[0]
    cache.put(made[3])
    assert [cache.get(str(number)) is not None for number in range(4)] == [True, False, True, True]


def stored(id: str) -> StoredChunk:  # noqa: A002
    vectors = encode_vectors(np.ones((1, 2), dtype=np.float32))
    pieces = encode_pieces([Piece(PieceKind.SENTENCE, 0, 1)])
    return StoredChunk(
        id=id,
        source="s",
        document="d",
        ordinal=0,
        heading="",
        start=0,
        end=1,
        text="x",
        sentences=pieces,
        vectors=vectors,
    )


async def test_a_build_removed_between_pointer_and_search_is_looked_up_again(local: Knowledge) -> None:
    """The first search finds its collection gone, because another build took over just then."""
    first = await local.ingestion(local.config(max_tokens=100)).run(contents(cats_md=CATS))

    class Overtaken:
        def __init__(self) -> None:
            self.searched: list[str] = []

        capabilities = Capabilities()

        async def search(self, collection: str, vector: object, count: int, where: object = None) -> object:
            self.searched.append(collection)
            if len(self.searched) == 1:
                await local.ingestion(local.config(max_tokens=50)).run(contents(cats_md=CATS))
                await delete_build(local.database, Build("demo/handbook", first.revision))
                await local.vectors.drop(collection)
            return await local.vectors.search(collection, vector, count)  # type: ignore[arg-type]

    overtaken = Overtaken()
    knowledge = Knowledge(local.database, overtaken, local.embedder, "demo")  # type: ignore[arg-type]
    [found] = await knowledge.retriever().retrieve("cats", [entry()])
    assert found.chunk.document == "cats.md"
    assert len(set(overtaken.searched)) == 2


async def test_vectors_without_a_chunk_do_not_crowd_out_the_others(local: Knowledge) -> None:
    """While a document is replaced, the vector store knows ids that the store does not (yet, or any more)."""
    report = await local.ingestion().run(contents(cats_md=CATS, tea_md=TEA))
    question = await local.embedder.embed_query("How hot should water be for green tea?")
    await local.vectors.upsert(collection_name("demo/handbook", report.revision), ["not-there"], question[None])
    found = await local.retriever().retrieve("How hot should water be for green tea?", [entry(top_k=1)])
    assert [each.chunk.document for each in found] == ["tea.md"]


def found_with(score: float, similarities: list[float]) -> Found:
    chunk = StoredChunk(
        id="1", source="s", document="d", ordinal=0, heading="", start=0, end=1, text="x", sentences="[]", vectors=b""
    )
    return Found(entry(), Build("demo/handbook", "r"), chunk, score, np.array(similarities, dtype=np.float32), (), ())


def test_one_good_sentence_ranks_its_chunk() -> None:
    chunk, sentence, poor = found_with(0.6, [0.2]), found_with(0.3, [0.1, 0.7]), found_with(0.5, [0.1])
    assert ranked([chunk, sentence, poor], 2) == [sentence, chunk]


def test_each_index_has_a_server_of_its_own_and_keeps_it() -> None:
    servers = VectorServers("http://{index}-index:8000")
    assert servers("demo/handbook", VectorsConfig()) is servers("demo/handbook", VectorsConfig())
    assert servers("demo/handbook", VectorsConfig()) is not servers("demo/other", VectorsConfig())
