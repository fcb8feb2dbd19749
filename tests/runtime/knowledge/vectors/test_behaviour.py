"""How the real servers behave: order, recall, selective filters, writers at the same time, strange texts."""

import asyncio

import numpy as np
import pytest

from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.vectors import sql_vectors
from slipway_runtime.knowledge.vectors.contract import VectorsRefused, VectorStore
from slipway_runtime.knowledge.vectors.filters import Attributes, Compare
from tests.runtime.knowledge.vectors.back_ends import names, unit_vectors

UNFIT = r"(?=.*dimension)(?=.*\b8\b).*\b5\b"
COUNT, DIMENSIONS, NEAREST = 2000, 32, 10
REAL = pytest.mark.parametrize("vectors", ["chroma-embedded", "chroma-server", "pgvector"], indirect=True)


@pytest.fixture(autouse=True)
def early_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of a thousand vectors have an index, as those of five thousand have outside tests."""
    monkeypatch.setattr(sql_vectors, "EXACT_NUMBERS", 1000 * DIMENSIONS)


def clustered(count: int, *, seed: int = 1) -> Matrix:
    """Vectors around fifty centres, as texts about fifty subjects have them."""
    rng = np.random.default_rng(seed)
    centres = unit_vectors(50, seed=2, dimensions=DIMENSIONS)
    made = centres[rng.integers(0, 50, count)] + 0.15 * rng.normal(size=(count, DIMENSIONS)).astype(np.float32)
    normalised: Matrix = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return normalised


def exact(written: Matrix, query: Vector, among: list[int]) -> list[str]:
    """Ids of the nearest ones, best first."""
    best = np.argsort(-(written[among] @ query))[:NEAREST]
    return [f"id-{among[place]}" for place in best]


@REAL
async def test_recall_and_order_of_an_indexed_collection(vectors: VectorStore, collection: str) -> None:
    written, queries = clustered(COUNT), clustered(50, seed=3)
    await vectors.upsert(collection, names(COUNT), written)
    found = 0
    for query in queries:
        matches = await vectors.search(collection, query, NEAREST)
        scores = [match.score for match in matches]
        assert scores == sorted(scores, reverse=True)
        assert len(matches) == NEAREST
        found += len({match.id for match in matches} & set(exact(written, query, list(range(COUNT)))))
    assert found / (len(queries) * NEAREST) >= 0.95


@REAL
async def test_a_filter_that_leaves_one_in_two_hundred_finds_all_it_should(
    vectors: VectorStore, collection: str
) -> None:
    written, queries = clustered(COUNT), clustered(20, seed=3)
    attributes: list[Attributes] = [{"rare": number % 200 == 7} for number in range(COUNT)]
    await vectors.upsert(collection, names(COUNT), written, attributes)
    rare = [number for number in range(COUNT) if number % 200 == 7]
    for query in queries:
        matches = await vectors.search(collection, query, NEAREST, Compare("rare", "eq", True))
        assert [match.id for match in matches] == exact(written, query, rare)


@REAL
async def test_a_filter_that_leaves_a_twentieth_finds_enough(vectors: VectorStore, collection: str) -> None:
    written, queries = clustered(COUNT), clustered(20, seed=3)
    attributes: list[Attributes] = [{"n": number % 20} for number in range(COUNT)]
    await vectors.upsert(collection, names(COUNT), written, attributes)
    left, found = list(range(3, COUNT, 20)), 0
    for query in queries:
        matches = await vectors.search(collection, query, NEAREST, Compare("n", "eq", 3))
        assert len(matches) == NEAREST
        found += len({match.id for match in matches} & set(exact(written, query, left)))
    assert found / (len(queries) * NEAREST) >= 0.9


@REAL
async def test_more_than_an_index_looks_at_are_found(vectors: VectorStore, collection: str) -> None:
    await vectors.upsert(collection, names(COUNT), clustered(COUNT))
    assert len(await vectors.search(collection, clustered(1, seed=3)[0], 300)) == 300


@REAL
async def test_writers_at_the_same_time_leave_what_the_last_one_wrote(vectors: VectorStore, collection: str) -> None:
    written, ids = unit_vectors(400), names(400)
    await vectors.upsert(collection, ids[:1], written[:1])
    await asyncio.gather(
        *(
            vectors.upsert(collection, ids[start : start + 200], written[start : start + 200])
            for start in (0, 100, 200)
        ),
        *(vectors.upsert(collection, ids[:200][::-1], written[:200][::-1]) for _ in range(2)),
        vectors.delete(collection, ["never-there", "nor-that"]),
    )
    assert await vectors.count(collection) == 400
    await asyncio.gather(
        *(vectors.delete(collection, ids[start : start + 150]) for start in (0, 100, 200)),
        vectors.upsert(collection, ids[350:], written[350:]),
    )
    assert await vectors.present(collection, ids) == set(ids[350:])


@REAL
async def test_ids_and_attributes_may_hold_any_text(vectors: VectorStore, collection: str) -> None:
    texts = ["nul\0byte", "\0", "Ünïcödé", "日本語", "emoji 🦉", 'quote"\\', "\1", "line\nbreak"]
    attributes: list[Attributes] = [{"text": text, text: True, "list": [text, "common"]} for text in texts]
    await vectors.upsert(collection, texts, unit_vectors(len(texts)), attributes)
    assert await vectors.present(collection, texts) == set(texts)
    for text in texts:
        for where in (Compare("text", "eq", text), Compare(text, "eq", True), Compare("list", "eq", text)):
            matches = await vectors.search(collection, unit_vectors(1)[0], len(texts), where)
            assert [match.id for match in matches] == [text]
    await vectors.delete(collection, texts[:2])
    assert await vectors.count(collection) == len(texts) - 2


@REAL
async def test_a_dimension_that_does_not_fit_is_refused_in_words(vectors: VectorStore, collection: str) -> None:
    await vectors.upsert(collection, names(3), unit_vectors(3, dimensions=8))
    with pytest.raises(VectorsRefused, match=UNFIT):
        await vectors.upsert(collection, ["other"], unit_vectors(1, dimensions=5))
    with pytest.raises(VectorsRefused, match=UNFIT):
        await vectors.search(collection, unit_vectors(1, dimensions=5)[0], 3)
    assert await vectors.count(collection) == 3


@REAL
async def test_a_collection_may_come_back_with_another_dimension(vectors: VectorStore, collection: str) -> None:
    for dimensions in (8, 5, 8):
        written = unit_vectors(3, dimensions=dimensions)
        await vectors.upsert(collection, names(3), written)
        assert (await vectors.search(collection, written[1], 1))[0].id == "id-1"
        await vectors.drop(collection)


@REAL
async def test_names_that_begin_alike_are_different_collections(vectors: VectorStore) -> None:
    long = "demo." + "a" * 200
    collections = [f"{long}.r1", f"{long}.r2", "demo.a.r1", "demo.a.r1x"]
    for number, each in enumerate(collections):
        await vectors.upsert(each, names(number + 1), unit_vectors(number + 1))
    assert [await vectors.count(each) for each in collections] == [1, 2, 3, 4]
    await vectors.drop(collections[0])
    assert [await vectors.count(each) for each in collections] == [0, 2, 3, 4]
