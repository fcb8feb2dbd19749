"""Chroma inside the process: the back end of the local driver.

Chroma is imported when it is opened, since that takes a second, and called in a thread, since it blocks. Its own
embedder is never used: it would download a model at run time.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.vectors.chroma_errors import failure
from slipway_runtime.knowledge.vectors.chroma_filters import OPERATORS, Where, chroma_where, described
from slipway_runtime.knowledge.vectors.contract import Capabilities, CollectionMissing, Match, VectorsUnavailable
from slipway_runtime.knowledge.vectors.filters import Attributes, Filter

BATCH = 250
"""Vectors in one call, as Chroma advises."""

P = ParamSpec("P")
T = TypeVar("T")


class EmbeddedChroma:
    """See `VectorStore`. Made by `open_embedded_chroma`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def capabilities(self) -> Capabilities:
        """See `VectorStore`."""
        return Capabilities(filters=OPERATORS)

    async def upsert(
        self, collection: str, ids: Sequence[str], vectors: Matrix, attributes: Sequence[Attributes] | None = None
    ) -> None:
        """See `VectorStore`."""
        await self._call(self._upsert, collection, list(ids), vectors, attributes)

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """See `VectorStore`."""
        await self._call(self._delete, collection, list(ids))

    async def count(self, collection: str) -> int:
        """See `VectorStore`."""
        try:
            return await self._call(lambda: int(self._open(collection).count()))
        except CollectionMissing:
            return 0

    async def present(self, collection: str, ids: Sequence[str]) -> set[str]:
        """See `VectorStore`."""
        try:
            return await self._call(self._present, collection, list(ids))
        except CollectionMissing:
            return set()

    async def search(self, collection: str, vector: Vector, count: int, where: Filter | None = None) -> list[Match]:
        """See `VectorStore`."""
        narrowed = True if where is None else chroma_where(where)
        return await self._call(self._search, collection, vector, count, narrowed)

    async def exists(self, collection: str) -> bool:
        """See `VectorStore`."""
        try:
            await self._call(self._open, collection)
        except CollectionMissing:
            return False
        return True

    async def drop(self, collection: str) -> None:
        """See `VectorStore`."""
        try:
            await self._call(self._client.delete_collection, collection)
        except CollectionMissing:
            return

    async def close(self) -> None:
        """See `VectorStore`."""
        await self._call(self._client.close)

    def _open(self, collection: str) -> Any:
        return self._client.get_collection(collection, embedding_function=None)

    def _upsert(
        self, collection: str, ids: list[str], vectors: Matrix, attributes: Sequence[Attributes] | None
    ) -> None:
        opened = self._client.get_or_create_collection(
            collection, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        for start in range(0, len(ids), BATCH):
            batch = slice(start, start + BATCH)
            described = None if attributes is None else self._described(opened, ids[batch], attributes[batch])
            opened.upsert(ids=ids[batch], embeddings=vectors[batch], metadatas=described)

    @staticmethod
    def _described(opened: Any, ids: list[str], attributes: Sequence[Attributes]) -> list[dict[str, Any] | None]:
        answer = opened.get(ids=ids, include=["metadatas"])
        return described(ids, attributes, dict(zip(answer["ids"], answer["metadatas"], strict=True)))

    def _delete(self, collection: str, ids: list[str]) -> None:
        try:
            opened = self._open(collection)
        except translated_errors()[0]:
            return
        for start in range(0, len(ids), BATCH):
            opened.delete(ids=ids[start : start + BATCH])

    def _present(self, collection: str, ids: list[str]) -> set[str]:
        opened = self._open(collection)
        found: set[str] = set()
        for start in range(0, len(ids), BATCH):
            found.update(opened.get(ids=ids[start : start + BATCH], include=[])["ids"])
        return found

    def _search(self, collection: str, vector: Vector, count: int, where: Where | bool) -> list[Match]:
        opened = self._open(collection)
        if where is False:
            return []
        narrowed = None if where is True else where
        answer = opened.query(query_embeddings=[vector], n_results=count, include=["distances"], where=narrowed)
        pairs = zip(answer["ids"][0], answer["distances"][0], strict=True)
        return [Match(id=id_, score=1.0 - distance) for id_, distance in pairs]

    async def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        missing, failed = translated_errors()
        try:
            return await asyncio.to_thread(function, *args, **kwargs)
        except missing as error:
            raise CollectionMissing(str(error)) from error
        except failed as error:
            raise failure(f"Chroma cannot do its work: {error}") from error


def translated_errors() -> tuple[type[Exception], type[Exception]]:
    """Chroma's exceptions for a collection that is not there, and for everything else."""
    from chromadb.errors import ChromaError, NotFoundError

    return NotFoundError, ChromaError


async def open_embedded_chroma(folder: Path) -> EmbeddedChroma:
    """Open or make the Chroma in a folder. One process at a time may have it open.

    Raises:
        VectorsUnavailable: if the folder cannot be used.
    """

    def connect() -> Any:
        import chromadb

        settings = chromadb.Settings(anonymized_telemetry=False)
        return chromadb.PersistentClient(path=str(folder), settings=settings)

    try:
        return EmbeddedChroma(await asyncio.to_thread(connect))
    except (OSError, ValueError) as error:
        raise VectorsUnavailable(f"the Chroma in {folder} cannot be opened: {error}") from error
