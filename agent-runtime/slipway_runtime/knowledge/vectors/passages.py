"""One way to write and to search chunks, whether a back end takes vectors or embeds texts itself."""

from collections.abc import Sequence
from typing import cast

from slipway_runtime import retrying
from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.vectors.contract import (
    Match,
    PassageSearch,
    VectorsRefused,
    VectorStore,
    VectorsUnavailable,
)
from slipway_runtime.knowledge.vectors.external import Ownable, Settling
from slipway_runtime.knowledge.vectors.filters import Attributes, Filter

SETTLING = 900.0
"""Seconds for which a back end is given to find what was written, before an ingestion gives up."""


async def write_chunks(
    store: VectorStore,
    collection: str,
    ids: Sequence[str],
    texts: Sequence[str],
    vectors: Matrix,
    attributes: Sequence[Attributes] | None = None,
) -> None:
    """Write chunks: their texts where the back end embeds them itself, else their vectors. See `VectorStore.upsert`."""
    if store.capabilities.server_side_embedding:
        await cast(PassageSearch, store).upsert_texts(collection, ids, texts, attributes)
    else:
        await store.upsert(collection, ids, vectors, attributes)


async def search_chunks(
    store: VectorStore, collection: str, question: str, vector: Vector, count: int, where: Filter | None = None
) -> list[Match]:
    """The chunks nearest to a question, by its text or its vector likewise. See `VectorStore.search`."""
    if store.capabilities.server_side_embedding:
        return await cast(PassageSearch, store).search_text(collection, question, count, where)
    return await store.search(collection, vector, count, where)


async def claim(store: VectorStore, collection: str, index: str, installation: str) -> None:
    """Own the collection of an index, where others may reach it. Raises CollectionTaken if it is another's."""
    if isinstance(store, Ownable):
        await store.claim(collection, f"{index} of installation {installation}")


async def wait_until_searchable(store: VectorStore, collection: str, count: int, *, seconds: float = SETTLING) -> None:
    """Wait until searches find what was written.

    Args:
        count: vectors, or texts, that the collection has.

    Raises:
        VectorsUnavailable: if they do not after so many seconds.
    """
    if count == 0 or store.capabilities.read_after_write or not isinstance(store, Settling):
        return

    async def step() -> None:
        if not await store.settled(collection, count):
            raise VectorsUnavailable("the back end does not find yet what was written: see its own state of indexing")

    await retrying.retry(step, policy=retrying.INGESTION, on=_passes, seconds=seconds)


def _passes(error: BaseException) -> bool:
    return isinstance(error, VectorsUnavailable) and not isinstance(error, VectorsRefused)
