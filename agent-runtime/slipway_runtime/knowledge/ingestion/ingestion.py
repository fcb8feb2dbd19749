"""From documents to an index that agents can read.

A *build* is one rendering of an index: one model, one way of cutting; their fingerprint is its name.

- Sources are listed first. Documents whose version did not change are not loaded; the others are taken one by one, so
  that memory holds one document at a time: new vectors, then the document with its chunks in one transaction, then the
  old vectors go. Whoever searches meanwhile finds the old or the new.
- Ids of chunks are noted as pending before their vectors are written, and before their rows are deleted, so that what
  an interruption leaves in the vector store is known without listing it.
- Another fingerprint makes another build alongside the one that agents read; the pointer moves when it is whole.
- What fails in between leaves the pointer, and so the serving build, as it was. Every step may be repeated.
- A document that cannot be read is named in the report; if an earlier version of it is in the build, that stays.
- The build that was served before is kept until the ingestion after, for runs that began with it.

One ingestion of an index runs at a time; that is the caller's matter.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import orjson

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import IngestConfig, IngestReport
from slipway_runtime import retrying
from slipway_runtime.knowledge.embedding.embedder import Embedder, Matrix
from slipway_runtime.knowledge.ingestion.chunking import Chunk, Chunker, chunk_text
from slipway_runtime.knowledge.ingestion.documents import Document, Failure, NotText, make_document
from slipway_runtime.knowledge.ingestion.fingerprint import fingerprint, revision_name
from slipway_runtime.knowledge.ingestion.planning import (
    DocumentKey,
    IngestionPlan,
    SourceListing,
    list_all,
    make_plan,
    reasons,
)
from slipway_runtime.knowledge.ingestion.sources import DocumentRef, DocumentSource, NotLoaded, SourceUnavailable
from slipway_runtime.knowledge.pieces import encode_pieces, encode_vectors, readable
from slipway_runtime.knowledge.vectors.contract import VectorsFull, VectorsRefused, VectorStore, VectorsUnavailable
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.documents import (
    Build,
    DocumentState,
    StoredChunk,
    StoredDocument,
    chunk_ids,
    counts,
    delete_build,
    delete_documents,
    document_states,
    pend,
    pending_ids,
    replace_document,
    revisions,
    set_version,
    settle,
)
from slipway_runtime.store.pointers import IndexPointer, read_pointer, write_pointer

PATIENCE = 120.0
"""Seconds for which a store that is unavailable is asked again, before the ingestion gives up."""
FAILURES_REPORTED = 20

T = TypeVar("T")


class NothingToIngest(Exception):
    """The sources hold no text; the message says what they hold. The build that agents read stays."""


class NoSourceAvailable(Exception):
    """Nothing could be read and the index has nothing; the message says why. It may be otherwise the next time."""


@dataclass(frozen=True)
class IngestionProgress:
    """How far an ingestion is: documents that are done, of those that have to be taken, and chunks made so far."""

    done: int = 0
    total: int = 0
    chunks: int = 0

    def __str__(self) -> str:
        return f"{self.done}/{self.total} documents, {self.chunks} chunks"


def chunk_id(build: Build, document: Document, chunk: Chunk) -> str:
    """Content address of a chunk: writing it again changes nothing, and no two builds share one."""
    parts = (build.index, build.revision, document.source, document.name, document.hash, str(chunk.ordinal))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@dataclass
class _Taken:
    """What became of the documents that were loaded."""

    made: int = 0
    """New chunks."""
    unchanged: int = 0
    """Chunks of documents whose text is the same as before."""
    failures: list[Failure] = field(default_factory=list)
    kept_failing: bool = False
    """Whether a document that cannot be read has an earlier version in the build."""
    wordless: dict[DocumentRef, str] = field(default_factory=dict)
    """Without a chunk, with their hashes. They are loaded again to take the place of what the build has, once it is
    sure that something is left."""
    blank: bool = True
    """Whether those are empty altogether."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Why sources cannot be read, by source."""


class Ingestion:
    """One ingestion of one index.

    Args:
        progress: called whenever it has got further.
        patience: seconds for which a store that is unavailable is asked again.
    """

    def __init__(
        self,
        config: IngestConfig,
        *,
        database: Database,
        vectors: VectorStore,
        embedder: Embedder,
        progress: Callable[[IngestionProgress], None] = lambda progress: None,
        patience: float = PATIENCE,
    ) -> None:
        self._fingerprint = fingerprint(config, embedder)
        self._place = config.vectors
        self._build = Build(f"{config.namespace}/{config.index}", revision_name(self._fingerprint, config.vectors))
        self._collection = collection_name(self._build.index, self._build.revision)
        self._chunker = Chunker(embedder, max_tokens=config.max_tokens, overlap=config.overlap)
        self._database = database
        self._vectors = vectors
        self._embedder = embedder
        self._progress = progress
        self._patience = patience

    async def run(self, sources: Sequence[DocumentSource]) -> IngestReport:
        """Bring the build up to date with the sources, and point agents to it.

        Raises:
            NoSourceAvailable: if sources cannot be read and there would be nothing, or another build without them.
            NothingToIngest: if there is no text; agents go on with the build they read.
            StoreUnavailable, VectorsUnavailable: if a store stays unavailable; likewise.
        """
        await self._patiently(self._sweep)
        states = await self._patiently(lambda: document_states(self._database, self._build))
        lost = await self._patiently(lambda: self._lost(states))
        before = await self._patiently(lambda: read_pointer(self._database, self._build.index))
        listing = await list_all(sources, states)
        plan = make_plan(listing, states=states, lost=lost)
        by_name = {source.name: source for source in sources}
        taken = await self._take_all(plan, by_name, states=states, lost=lost)
        taken.unavailable |= listing.unavailable
        self._check(listing, plan, taken, before)
        for ref, hash_ in taken.wordless.items():
            with suppress(NotText, NotLoaded, SourceUnavailable):  # changed meanwhile, which the next ingestion sees
                document = await _load(ref, by_name[ref.source])
                if document.hash == hash_:
                    await self._replace(ref, document, [], replaces=ref.key in states)
        if plan.removed:
            await self._patiently(lambda: delete_documents(self._database, self._build, plan.removed))
            await self._patiently(self._sweep)
        report = await self._patiently(lambda: self._publish(taken))
        await self._patiently(lambda: self._forget({self._build.revision, before.revision if before else ""}))
        return report

    def _check(self, listing: SourceListing, plan: IngestionPlan, taken: _Taken, before: IndexPointer | None) -> None:
        """Raise what keeps agents with the build they read: one that has nothing, or not what it has."""
        something = taken.made or taken.unchanged or taken.kept_failing or plan.kept
        elsewhere = before is not None and before.revision != self._build.revision
        if taken.unavailable and (elsewhere or not something):
            raise NoSourceAvailable("; ".join(reasons(taken.unavailable)))
        if not something:
            raise _nothing(listing.refs, taken)

    async def _lost(self, states: Mapping[DocumentKey, DocumentState]) -> set[DocumentKey]:
        """Documents some of whose vectors are missing. The ids are compared only where the number says so."""
        if await self._vectors.count(self._collection) >= sum(state.chunks for state in states.values()):
            return set()
        ids = await chunk_ids(self._database, self._build)
        present = await self._vectors.present(self._collection, [id_ for each in ids.values() for id_ in sorted(each)])
        return {key for key, each in ids.items() if not each <= present}

    async def _take_all(
        self,
        plan: IngestionPlan,
        sources: Mapping[str, DocumentSource],
        *,
        states: Mapping[DocumentKey, DocumentState],
        lost: set[DocumentKey],
    ) -> _Taken:
        taken = _Taken()
        for number, ref in enumerate(plan.load):
            done = IngestionProgress(number, len(plan.load), taken.made)
            self._progress(done)
            if ref.source in taken.unavailable:
                taken.kept_failing |= ref.key in states and states[ref.key].chunks > 0
                continue
            state = None if ref.key in lost else states.get(ref.key)
            await self._look(ref, sources[ref.source], state, taken, known=ref.key in states, done=done)
        self._progress(IngestionProgress(len(plan.load), len(plan.load), taken.made))
        return taken

    async def _look(
        self,
        ref: DocumentRef,
        source: DocumentSource,
        state: DocumentState | None,
        taken: _Taken,
        *,
        known: bool,
        done: IngestionProgress,
    ) -> None:
        """Load a document that may have changed, and take it if it has.

        Args:
            state: what the build has of it, unless some of its vectors are missing.
            known: whether the build has it.
        """
        try:
            document = await _load(ref, source)
        except SourceUnavailable as error:
            taken.unavailable[ref.source] = str(error)
            taken.kept_failing |= state is not None and state.chunks > 0
            return
        except (NotText, NotLoaded) as error:
            taken.failures.append(Failure(source=ref.source, name=ref.name, reason=str(error)))
            taken.kept_failing |= state is not None and state.chunks > 0
            return
        if state is not None and state.hash == document.hash:
            await self._patiently(lambda: set_version(self._database, self._build, ref.key, ref.version))
            taken.unchanged += state.chunks
            return
        chunks = await asyncio.to_thread(self._chunker.chunks, document)
        if not chunks:
            taken.wordless[ref] = document.hash
            taken.blank &= not document.text.strip()
            return
        await self._take(ref, document, chunks, replaces=known, done=done)
        taken.made += len(chunks)

    async def _take(
        self, ref: DocumentRef, document: Document, chunks: list[Chunk], *, replaces: bool, done: IngestionProgress
    ) -> None:
        """Embed a document and put it in the place of its earlier version."""
        vectors = await self._embed(document, chunks, done)
        rows = self._rows(document, chunks, vectors)
        ids = [row.id for row in rows]
        await self._patiently(lambda: pend(self._database, self._build, ids))
        await self._patiently(lambda: self._vectors.upsert(self._collection, ids, vectors[: len(rows)]))
        await self._replace(ref, document, rows, replaces=replaces)

    async def _replace(
        self, ref: DocumentRef, document: Document, rows: Sequence[StoredChunk], *, replaces: bool
    ) -> None:
        stored = StoredDocument(
            source=document.source,
            name=document.name,
            title=document.title,
            text=document.text,
            hash=document.hash,
            version=ref.version,
            metadata=orjson.dumps(document.metadata, default=str, option=orjson.OPT_NON_STR_KEYS).decode(),
        )
        await self._patiently(lambda: replace_document(self._database, self._build, stored, rows))
        if replaces:
            await self._patiently(self._sweep)

    async def _embed(self, document: Document, chunks: list[Chunk], done: IngestionProgress) -> Matrix:
        """Vectors of the chunks, then of all their pieces, in order."""
        texts = [chunk_text(document.text, chunk) for chunk in chunks]
        texts += [
            readable(document.text[piece.start : piece.end], piece.kind) for chunk in chunks for piece in chunk.pieces
        ]
        share = len(chunks) / len(texts)

        def report(embedded: int) -> None:
            self._progress(IngestionProgress(done.done, done.total, done.chunks + int(embedded * share)))

        return await self._embedder.embed_texts(texts, progress=report)

    def _rows(self, document: Document, chunks: list[Chunk], vectors: Matrix) -> list[StoredChunk]:
        ends = np.cumsum([len(chunks), *(len(chunk.pieces) for chunk in chunks)])
        return [
            StoredChunk(
                id=chunk_id(self._build, document, chunk),
                source=document.source,
                document=document.name,
                ordinal=chunk.ordinal,
                heading=chunk.heading,
                start=chunk.start,
                end=chunk.end,
                text=document.text[chunk.start : chunk.end],
                sentences=encode_pieces(chunk.pieces),
                vectors=encode_vectors(vectors[ends[number] : ends[number + 1]]),
            )
            for number, chunk in enumerate(chunks)
        ]

    async def _sweep(self) -> None:
        """Remove vectors that no chunk has any more: of replaced and removed documents, of interrupted ingestions."""
        await self._vectors.delete(self._collection, await pending_ids(self._database, self._build))
        await settle(self._database, self._build)

    async def _publish(self, taken: _Taken) -> IngestReport:
        """Point agents to the build."""
        failures = taken.failures
        await self._sweep()
        documents, chunks = await counts(self._database, self._build)
        pointer = IndexPointer(
            index=self._build.index,
            revision=self._build.revision,
            fingerprint=self._fingerprint,
            documents=documents,
            chunks=chunks,
            failed=len(failures),
            vectors=self._place,
        )
        await write_pointer(self._database, pointer)
        return IngestReport(
            revision=self._build.revision,
            fingerprint=self._fingerprint,
            documents=documents,
            chunks=chunks,
            failed=len(failures),
            failures=tuple(str(failure) for failure in failures[:FAILURES_REPORTED]),
            unavailable=reasons(taken.unavailable),
        )

    async def _forget(self, kept: set[str]) -> None:
        """Remove the builds that nobody can be reading."""
        for revision in await revisions(self._database, self._build.index) - kept:
            await self._vectors.drop(collection_name(self._build.index, revision))
            await delete_build(self._database, Build(self._build.index, revision))

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        return await retrying.retry(step, policy=retrying.INGESTION, on=unavailable, seconds=self._patience)


def unavailable(error: BaseException) -> bool:
    """Whether a store is unavailable, so that asking it again may succeed; one that is full has to be given room."""
    lasting = isinstance(error, VectorsFull | VectorsRefused)
    return isinstance(error, StoreUnavailable | VectorsUnavailable) and not lasting


async def _load(ref: DocumentRef, source: DocumentSource) -> Document:
    loaded = await source.load(ref)
    return make_document(source=ref.source, name=ref.name, content=loaded.content)


def _nothing(refs: Sequence[DocumentRef], taken: _Taken) -> NothingToIngest:
    """Why there is nothing to ingest."""
    if not refs:
        return NothingToIngest("The sources hold no documents.")
    if taken.failures and not taken.wordless:
        named = "; ".join(str(failure) for failure in taken.failures[:3])
        return NothingToIngest(f"none of the {len(taken.failures)} documents could be read: {named}")
    if taken.wordless and taken.blank:
        return NothingToIngest("All documents are empty.")
    return NothingToIngest("the documents hold nothing to quote, headings at most: put sentences under them")
