"""From a question to the chunks that may answer it.

The vector store finds more chunks than are needed, by their own vectors; then the sentences of each have a say. A chunk
is about several things, and the one sentence that answers weighs little in its vector. (On this project's own pages the
right document is first for 76 % of the questions with this second look, for 65 % without.)
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import KnowledgeConfig
from slipway_runtime.knowledge.embedding.embedder import Embedder, Vector
from slipway_runtime.knowledge.pieces import Piece
from slipway_runtime.knowledge.retrieval.chunk_cache import ChunkCache, decoded
from slipway_runtime.knowledge.vectors.contract import (
    CollectionMissing,
    Match,
    OpenVectors,
    VectorsUnavailable,
)
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import Build, StoredChunk, present_chunks, read_chunks
from slipway_runtime.store.pointers import IndexPointer, read_pointer
from slipway_runtime.telemetry import genai

POOL = 4
"""So many times the chunks that are needed are looked at. It also covers for vectors that have no chunk (any more)."""

SEARCHES = 3
"""So often a search is made anew because the build was replaced under it."""


class IndexNotReady(Exception):
    """An index has no build to read, or its vectors cannot be reached. Whoever asks again later may succeed."""


@dataclass(frozen=True, eq=False)
class Found:
    """A chunk that was found, and for which entry of the agent's knowledge."""

    knowledge: KnowledgeConfig
    build: Build
    chunk: StoredChunk
    score: float
    """Cosine similarity of chunk and question."""
    similarities: NDArray[np.float32]
    """Cosine similarity of each of its pieces and the question."""
    pieces: Sequence[Piece]
    """Its sentences, code and rows."""
    verified: Sequence[bool]
    """Whether the stored document has each of them, word for word."""

    @cached_property
    def relevance(self) -> float:
        """What chunks are ranked by: its own similarity or that of its best piece."""
        similarities: list[float] = self.similarities.tolist()  # faster than numpy's for so few
        return max(self.score, *similarities)


def ranked(found: Iterable[Found], count: int) -> list[Found]:
    """The most relevant ones, best first."""
    return sorted(found, key=lambda one: -one.relevance)[:count]


class Retriever:
    """Searches the indexes of one namespace.

    Args:
        vectors: gives the vector store of an index.
        chunks: those that were read before, by this one or another.
    """

    def __init__(
        self,
        namespace: str,
        *,
        database: Database,
        embedder: Embedder,
        vectors: OpenVectors,
        chunks: ChunkCache | None = None,
    ) -> None:
        self._namespace = namespace
        self._chunks = ChunkCache() if chunks is None else chunks
        self._pointers: dict[str, IndexPointer] = {}
        """Of each index, the build that was in force last time."""
        self._database = database
        self._embedder = embedder
        self._vectors = vectors

    async def retrieve(self, question: str, knowledge: Sequence[KnowledgeConfig]) -> list[Found]:
        """The chunks most relevant to the question, `top_k` of each entry, all together best first.

        Raises:
            IndexNotReady: if an index has not been built yet, or cannot be searched now.
            StoreUnavailable: if the store is unavailable.
        """
        with genai.retrieval(sources=[entry.index for entry in knowledge], question=question):
            vector = await self._embedder.embed_query(question)
            searches = [self._search(vector, entry) for entry in knowledge]
            parts = [await searches[0]] if len(searches) == 1 else await asyncio.gather(*searches)  # without a task
            return ranked((one for part in parts for one in part), sum(map(len, parts)))

    async def missing(self, knowledge: Sequence[KnowledgeConfig]) -> list[str]:
        """What is not there yet for a question to be answered, each as a sentence."""
        sentences: list[str] = []
        for entry in knowledge:
            index = self._index(entry)
            pointer = await read_pointer(self._database, index)
            if pointer is None:
                sentences.append(f"the index {index} has not been built yet")
                continue
            try:
                if not await self._vectors(index, pointer.vectors).exists(collection_name(index, pointer.revision)):
                    sentences.append(f"the index {index} has lost its vectors; the next ingestion makes them again")
            except VectorsUnavailable as error:
                sentences.append(f"the index {index} cannot be searched: {error}")
        return sentences

    def _index(self, entry: KnowledgeConfig) -> str:
        return f"{self._namespace}/{entry.index}"

    async def _search(self, vector: Vector, entry: KnowledgeConfig) -> list[Found]:
        """One index; once more if the build was replaced between reading the pointer and searching."""
        try:
            return await self._search_build(vector, entry)
        except CollectionMissing:
            try:
                return await self._search_build(vector, entry)
            except CollectionMissing as error:
                raise IndexNotReady(f"the index {self._index(entry)} has no vectors; ingest it again") from error

    async def _search_build(self, vector: Vector, entry: KnowledgeConfig) -> list[Found]:
        """Search the build that was in force last time; once more if it is not that one any more.

        One statement tells whether it is, and which chunks are still there.
        """
        index = self._index(entry)
        pointer = self._pointers.get(index) or await self._current(index)
        for _ in range(SEARCHES):
            matches = await self._matches(vector, entry, pointer)
            current, present = await present_chunks(self._database, index, [match.id for match in matches])
            if current == pointer.revision:
                self._pointers[index] = pointer
                found = [match for match in matches if match.id in present]
                return ranked(await self._read(Build(index, current), entry, found, vector), entry.top_k)
            self._pointers.pop(index, None)
            pointer = await self._current(index)
        raise IndexNotReady(f"the index {index} is replaced again and again")

    async def _current(self, index: str) -> IndexPointer:
        pointer = await read_pointer(self._database, index)
        if pointer is None:
            raise IndexNotReady(f"the index {index} has not been built yet")
        return pointer

    async def _matches(self, vector: Vector, entry: KnowledgeConfig, pointer: IndexPointer) -> list[Match]:
        index = self._index(entry)
        try:
            collection = collection_name(index, pointer.revision)
            return await self._vectors(index, pointer.vectors).search(collection, vector, entry.top_k * POOL)
        except CollectionMissing:
            self._pointers.pop(index, None)
            raise
        except VectorsUnavailable as error:
            raise IndexNotReady(f"the index {index} cannot be searched now: {error}") from error

    async def _read(
        self, build: Build, entry: KnowledgeConfig, matches: Sequence[Match], vector: Vector
    ) -> list[Found]:
        """What was found, with the similarities of its pieces. Only what was never read before comes from the store."""
        known = {match.id: self._chunks.get(match.id) for match in matches}
        unread = [id_ for id_, chunk in known.items() if chunk is None]
        for chunk, otherwise in await read_chunks(self._database, build, unread):
            known[chunk.id] = made = decoded(chunk, dimensions=len(vector), otherwise=otherwise)
            self._chunks.put(made)
        return [
            Found(entry, build, one.chunk, match.score, one.vectors @ vector, one.pieces, one.verified)
            for match in matches
            if (one := known[match.id]) is not None
        ]
