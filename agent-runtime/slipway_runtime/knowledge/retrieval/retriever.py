"""From a question to the chunks that may answer it.

The vector store finds more chunks than are needed, by their own vectors; then the sentences of each have a say. A chunk
is about several things, and the one sentence that answers weighs little in its vector. (On this project's own pages the
right document is first for 76 % of the questions with this second look, for 65 % without.)
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import KnowledgeConfig, SearchConfig
from slipway_runtime.knowledge.access import may_read, readable, reader_groups
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.documents.neighbours import surroundings
from slipway_runtime.knowledge.embedding.embedder import Embedder, EmbeddingUnavailable, Vector
from slipway_runtime.knowledge.embedding.opening import MINILM, OpenEmbedder
from slipway_runtime.knowledge.retrieval.chunk_cache import ChunkCache, DecodedChunk, decoded
from slipway_runtime.knowledge.retrieval.found import Found, Scorer, fused, ranked, reordered
from slipway_runtime.knowledge.retrieval.narrowing import narrowing
from slipway_runtime.knowledge.retrieval.reranking import RERANKED, OpenReranker
from slipway_runtime.knowledge.retrieval.wording import Wording, asked_terms, wording
from slipway_runtime.knowledge.vectors.contract import (
    CollectionMissing,
    OpenVectors,
    VectorsUnavailable,
)
from slipway_runtime.knowledge.vectors.filters import Filter
from slipway_runtime.knowledge.vectors.passages import search_chunks
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import Build, Presence, metadata_of_chunks, present_chunks, read_chunks
from slipway_runtime.store.lexical import frequencies, search_present
from slipway_runtime.store.pointers import IndexPointer, read_pointer
from slipway_runtime.store.texts import OpenTexts
from slipway_runtime.telemetry import genai

POOL = 4
"""So many times the chunks that are needed are looked at. It also covers for vectors that have no chunk (any more)."""

SEARCHES = 3
"""So often a search is made anew because the build was replaced under it."""


class IndexNotReady(Exception):
    """An index has no build to read, or its vectors cannot be reached. Whoever asks again later may succeed."""


@dataclass(frozen=True)
class SearchQuery:
    """A question, and what narrows the search for it."""

    text: str
    own: Vector | None
    """Its vector by the embedder of the process; None where no index is searched with that."""
    where: Filter | None = None


@dataclass(frozen=True)
class Asked:
    """A question, as it is searched for in one build."""

    text: str
    vector: Vector
    where: Filter | None = None


class Retriever:
    """Searches the indexes of one namespace.

    Args:
        embedder: of the process, which most indexes are searched with.
        embedders: gives that of an index which has another one.
        vectors: gives the vector store of an index.
        chunks: those that were read before, by this one or another.
        rerankers: gives that of an index which has one; without it, what is found keeps its order.
        texts: gives the place of the texts of an index, where that is not the store.
    """

    def __init__(
        self,
        namespace: str,
        *,
        database: Database,
        embedder: Embedder,
        vectors: OpenVectors,
        chunks: ChunkCache | None = None,
        embedders: OpenEmbedder | None = None,
        rerankers: OpenReranker | None = None,
        texts: OpenTexts | None = None,
    ) -> None:
        self._namespace = namespace
        self._chunks = ChunkCache() if chunks is None else chunks
        self._pointers: dict[str, IndexPointer] = {}
        """Of each index, the build that was in force last time."""
        self._database = database
        self._documents = DocumentStore(database, texts)
        self._embedder = embedder
        self._embedders = embedders
        self._rerankers = rerankers
        self._vectors = vectors

    async def retrieve(
        self, question: str, knowledge: Sequence[KnowledgeConfig], where: Filter | None = None
    ) -> list[Found]:
        """The chunks most relevant to the question, `top_k` of each entry, all together best first. Of an index that
        is restricted to groups only what those may read who are read for (`access.reading_for`).

        Raises:
            IndexNotReady: if an index has not been built yet, or cannot be searched now.
            UnsupportedFilter: if an index cannot be narrowed so.
            StoreUnavailable: if the store is unavailable.
        """
        with genai.retrieval(sources=[entry.index for entry in knowledge], question=question):
            own = any(self._is_own(self._pointers.get(self._index(entry))) for entry in knowledge)
            vector = await self._embedder.embed_query(question) if own else None
            searches = [self._search(SearchQuery(question, vector, where), entry) for entry in knowledge]
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

    async def search_build(self, question: str, entry: KnowledgeConfig, pointer: IndexPointer) -> list[Found]:
        """The chunks most relevant to the question in one build, whether agents read it or not.

        Raises:
            CollectionMissing: if its vectors are not there.
            StoreUnavailable, VectorsUnavailable: if one of them is.
        """
        asked = await self._asked(SearchQuery(question, None), pointer)
        hits, _ = await self._hits(asked, entry, pointer)
        return await self._best(asked, entry, pointer, hits)

    def _is_own(self, pointer: IndexPointer | None) -> bool:
        """Whether an index is searched with the embedder of the process; most likely, of one that was not read yet."""
        return self._embedders is None or pointer is None or pointer.embedding == MINILM

    async def _asked(self, question: SearchQuery, pointer: IndexPointer) -> Asked:
        """The question with its vector as the build's own model has it."""
        if self._embedders is not None and pointer.embedding != MINILM:
            vector = await self._embedders(pointer.index, pointer.embedding).embed_query(question.text)
        else:
            vector = await self._embedder.embed_query(question.text) if question.own is None else question.own
        restricted = pointer.search.restricted
        return Asked(question.text, vector, readable(question.where) if restricted else question.where)

    def _index(self, entry: KnowledgeConfig) -> str:
        return f"{self._namespace}/{entry.index}"

    async def _search(self, question: SearchQuery, entry: KnowledgeConfig) -> list[Found]:
        """One index; once more if the build was replaced between reading the pointer and searching."""
        try:
            return await self._search_build(question, entry)
        except CollectionMissing:
            try:
                return await self._search_build(question, entry)
            except CollectionMissing as error:
                if (await self._current(self._index(entry))).chunks == 0:
                    return []  # it takes uploads, and there are none yet
                raise IndexNotReady(f"the index {self._index(entry)} has no vectors; ingest it again") from error

    async def _search_build(self, question: SearchQuery, entry: KnowledgeConfig) -> list[Found]:
        """Search the build that was in force last time; once more if it is not that one any more.

        One statement tells whether it is, and which chunks are still there.
        """
        index = self._index(entry)
        pointer = self._pointers.get(index) or await self._current(index)
        for _ in range(SEARCHES):
            try:
                asked = await self._asked(question, pointer)
                hits, now = await self._hits(asked, entry, pointer)
            except (VectorsUnavailable, EmbeddingUnavailable) as error:
                # The index may have moved away from a server that is gone.
                former, pointer = pointer, await self._current(index)
                if pointer == former:
                    raise IndexNotReady(f"the index {index} cannot be searched now: {error}") from error
                continue
            if now.revision == pointer.revision and now.search == pointer.search_text:
                self._pointers[index] = pointer
                present = await self._readable(pointer, now.ids)
                best = await self._best(asked, entry, pointer, hits.among(present))
                return await self._with_neighbours(best, pointer)
            self._pointers.pop(index, None)
            pointer = await self._current(index)
        raise IndexNotReady(f"the index {index} is replaced again and again")

    async def _readable(self, pointer: IndexPointer, ids: frozenset[str]) -> frozenset[str]:
        """Those of the chunks that the reader may read, whatever the back end made of the filter."""
        if not pointer.search.restricted:
            return ids
        build = Build(pointer.index, pointer.revision)
        metadata = await metadata_of_chunks(self._database, build, sorted(ids))
        return frozenset(id_ for id_, each in metadata.items() if may_read(each))

    async def _current(self, index: str) -> IndexPointer:
        pointer = await read_pointer(self._database, index)
        if pointer is None:
            raise IndexNotReady(f"the index {index} has not been built yet")
        return pointer

    async def _hits(self, asked: Asked, entry: KnowledgeConfig, pointer: IndexPointer) -> tuple["Hits", Presence]:
        """What both searches find, as far as the index is searched so, and what is there of it now."""
        mode, count = pointer.search.mode, entry.top_k * POOL
        if pointer.search.restricted and not reader_groups():
            return Hits({}), await present_chunks(self._database, pointer.index, ())
        scores = {} if mode == "lexical" else await self._matches(asked, entry, pointer)
        if mode == "dense":
            return Hits(scores), await present_chunks(self._database, pointer.index, list(scores))
        build = Build(pointer.index, pointer.revision)
        having = await frequencies(self._database, build, asked_terms(asked.text))
        words = wording(asked.text, having, pointer.chunks)
        known = {term: weight for term, weight in words.weights.items() if having.get(term)}
        narrowed = None if asked.where is None else narrowing(asked.where)
        by_words, now = await search_present(self._database, build, known, count, list(scores), narrowed)
        return Hits(scores, tuple(by_words), words), now

    async def _matches(self, asked: Asked, entry: KnowledgeConfig, pointer: IndexPointer) -> dict[str, float]:
        """The similarities of the chunks that the vector store finds, by id."""
        index = self._index(entry)
        try:
            collection = collection_name(index, pointer.revision)
            store, count = self._vectors(index, pointer.vectors), entry.top_k * POOL
            found = await search_chunks(store, collection, asked.text, asked.vector, count, asked.where)
        except CollectionMissing:
            self._pointers.pop(index, None)
            raise
        return {match.id: match.score for match in found}

    async def _best(self, asked: Asked, entry: KnowledgeConfig, pointer: IndexPointer, hits: "Hits") -> list[Found]:
        """The best of what was found."""
        search, build = pointer.search, Build(pointer.index, pointer.revision)
        scorer = Scorer(entry, build, search, asked.vector, hits.wording)
        chunks = await self._read(build, hits.ids, dimensions=len(asked.vector))
        found = [scorer.found(one, hits.scores.get(one.chunk.id)) for one in chunks]
        if search.reranker is not None and self._rerankers is not None:
            best = hits.best(found, search, RERANKED)
            texts = [one.reading for one in best]
            order = await self._rerankers(pointer.index, search.reranker).order(asked.text, texts)
            if order is not None:
                return reordered(best, order, entry.top_k)
        return hits.best(found, search, entry.top_k)

    async def _with_neighbours(self, found: list[Found], pointer: IndexPointer) -> list[Found]:
        count, build = pointer.search.neighbours, Build(pointer.index, pointer.revision)
        if not count:
            return found
        documents = self._documents
        return [replace(one, around=await surroundings(documents, build, one.chunk, count)) for one in found]

    async def _read(self, build: Build, ids: Sequence[str], *, dimensions: int) -> list[DecodedChunk]:
        """Chunks of a build. Only what was never read before comes from the store."""
        known = {id_: self._chunks.get(id_) for id_ in ids}
        unread = [id_ for id_, chunk in known.items() if chunk is None]
        for chunk, otherwise in await self._documents.compared(build, await read_chunks(self._database, build, unread)):
            known[chunk.id] = made = decoded(chunk, dimensions=dimensions, otherwise=otherwise)
            self._chunks.put(made)
        return [one for one in known.values() if one is not None]


@dataclass(frozen=True)
class Hits:
    """What the searches of one build found."""

    scores: Mapping[str, float]
    """Similarities of what the vector store found, by id, best first."""
    by_words: tuple[str, ...] = ()
    """Ids of what the search by words found, best first."""
    wording: Wording | None = None

    def best(self, found: Sequence[Found], search: SearchConfig, count: int) -> list[Found]:
        """The best of these when they were read and scored, as the index is searched."""
        if search.mode == "hybrid" and search.fusion == "rrf":
            return fused(found, self.by_words, count)
        return ranked(found, count)

    @property
    def ids(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys([*self.scores, *self.by_words]))

    def among(self, present: frozenset[str]) -> "Hits":
        """Those that are still there."""
        scores = {id_: score for id_, score in self.scores.items() if id_ in present}
        return replace(self, scores=scores, by_words=tuple(id_ for id_ in self.by_words if id_ in present))
