"""How many of the nearest vectors the searches of a back end find: recall@10 against exact search over the same
vectors.

Searches are for sentences of the build, as questions are about as long. Which ones follows from the ids of chunks,
which are digests: the same build is asked the same. The store has every vector, so the exact search reads them from
there, a page at a time.
"""

from dataclasses import dataclass

import numpy as np

from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.pieces import decode_vectors
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.store.chunk_vectors import page_of_vectors
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import Build

NEAREST = 10
SAMPLE = 50
"""Searches."""
PAGE = 1000
"""Vectors that are compared at once."""
SAME = 1e-4
"""Similarities this near to each other are of vectors that are equally near."""


@dataclass(frozen=True)
class BuildVectors:
    """A build, and where its vectors are."""

    database: Database
    build: Build
    store: VectorStore
    collection: str
    dimensions: int


async def recall(vectors: BuildVectors) -> float | None:
    """The share of the nearest ten vectors that searches found, over all searches.

    None if the back end embeds texts itself, or if the store has no vectors of the build.

    Raises:
        StoreUnavailable, VectorsUnavailable: if one of them is.
        CollectionMissing: if the vectors are not there.
    """
    if vectors.store.capabilities.server_side_embedding:
        return None
    queries = await _queries(vectors)
    if not len(queries):
        return None
    found = [
        [match.id for match in await vectors.store.search(vectors.collection, query, NEAREST)] for query in queries
    ]
    best, similarities = await _exact(vectors, queries, wanted={id_ for ids in found for id_ in ids})
    hits = 0
    for number, ids in enumerate(found):
        near = sum(id_ in similarities and similarities[id_][number] >= best[number, 0] - SAME for id_ in ids)
        hits += min(near, best.shape[1])
    return hits / best.size if best.size else None


async def _queries(vectors: BuildVectors) -> Matrix:
    """The vector of a sentence of each of some chunks [n, dimensions]."""
    chosen = []
    for each in await page_of_vectors(vectors.database, vectors.build, after="", count=SAMPLE):
        pieces = decode_vectors(each.pieces, dimensions=vectors.dimensions)
        if len(pieces):
            chosen.append(pieces[int(each.id[:4], 16) % len(pieces)])
    return np.stack(chosen) if chosen else np.zeros((0, vectors.dimensions), dtype=np.float32)


async def _exact(vectors: BuildVectors, queries: Matrix, *, wanted: set[str]) -> tuple[Matrix, dict[str, Vector]]:
    """The best similarities for each query [queries, at most 10], ascending; and those of the wanted ids [queries]."""
    best: Matrix = np.zeros((len(queries), 0), dtype=np.float32)
    similarities: dict[str, Vector] = {}
    after = ""
    while page := await page_of_vectors(vectors.database, vectors.build, after=after, count=PAGE):
        after = page[-1].id
        own = np.concatenate([decode_vectors(each.own, dimensions=vectors.dimensions) for each in page])
        compared = _unit(queries) @ _unit(own).T
        similarities |= {each.id: compared[:, number] for number, each in enumerate(page) if each.id in wanted}
        best = np.sort(np.concatenate([best, compared], axis=1), axis=1)[:, -NEAREST:]
    return best, similarities


def _unit(vectors: Matrix) -> Matrix:
    lengths: Matrix = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Matrix = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
