"""From documents to an index that agents can read.

A *build* is one rendering of an index: one model, one way of cutting; their fingerprint is its name.

- Documents that did not change are skipped, those that did are replaced one by one: new vectors, then the document with
  its chunks in one transaction, then the old vectors go. Whoever searches meanwhile finds the old or the new.
- Another fingerprint makes another build beside the one that agents read; the pointer moves when it is whole.
- What fails in between leaves the pointer, and so the serving build, as it was. Every step may be repeated.
- A document that cannot be read is named in the report; if an earlier version of it is in the build, that stays.
- The build that was served before is kept until the ingestion after, for runs that began with it.

One ingestion of an index runs at a time; that is the caller's matter.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from slipway_crds.runtimeconfig import IngestConfig, IngestReport
from slipway_runtime.knowledge.chunking import Chunk, Chunker, chunk_text, readable
from slipway_runtime.knowledge.documents import Contents, Document
from slipway_runtime.knowledge.embedding import Matrix, MiniLM
from slipway_runtime.knowledge.fingerprint import fingerprint, revision_name
from slipway_runtime.knowledge.patience import patiently
from slipway_runtime.knowledge.sentence_codec import encode_pieces, encode_vectors
from slipway_runtime.knowledge.vectors import VectorStore, collection_name
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import (
    Build,
    StoredChunk,
    StoredDocument,
    chunk_ids,
    counts,
    delete_build,
    delete_documents,
    document_hashes,
    replace_document,
    revisions,
)
from slipway_runtime.store.pointers import IndexPointer, read_pointer, write_pointer

PATIENCE = 120.0
"""Seconds for which a store that is away is asked again, before the ingestion gives up."""
FAILURES_TOLD = 20

Key = tuple[str, str]
"""Source and name of a document."""
Progress = Callable[[int, int], None]
"""Gets how many chunks are done, and of how many."""
T = TypeVar("T")


class NothingToIngest(Exception):
    """The sources hold no text; the message says what they hold. The build that agents read stays."""


@dataclass(frozen=True)
class Plan:
    """What an ingestion has to do to a build."""

    changed: tuple[Document, ...]
    removed: tuple[Key, ...]
    chunks: Mapping[Key, set[str]]
    """Ids of the chunks that the build has of each document."""

    @property
    def keeps_chunks(self) -> bool:
        """Whether chunks of documents that are neither changed nor removed remain."""
        touched = {(document.source, document.name) for document in self.changed} | set(self.removed)
        return any(ids for key, ids in self.chunks.items() if key not in touched)


def make_plan(
    contents: Contents,
    *,
    hashes: dict[Key, str],
    chunks: dict[Key, set[str]],
    vectors: set[str],
) -> Plan:
    """Compare what the sources hold with what the build has.

    Args:
        hashes: hash of each document in the build.
        chunks: ids of the chunks of each document in the build.
        vectors: ids in the vector store, which may have lost some: then their documents are made again.
    """
    changed = tuple(
        document
        for document in contents.documents
        if hashes.get((document.source, document.name)) != document.hash
        or not chunks.get((document.source, document.name), set()) <= vectors
    )
    present = {(document.source, document.name) for document in contents.documents}
    present |= {(failure.source, failure.name) for failure in contents.failures}
    return Plan(changed=changed, removed=tuple(sorted(set(hashes) - present)), chunks=chunks)


def check_contents(contents: Contents) -> None:
    """Refuse contents that would make an empty index.

    Raises:
        NothingToIngest: if there is no document with a word in it.
    """
    if any(document.text.strip() for document in contents.documents):
        return
    if contents.failures:
        named = "; ".join(str(failure) for failure in contents.failures[:3])
        raise NothingToIngest(f"none of the {len(contents.failures)} documents could be read: {named}")
    if contents.documents:
        raise NothingToIngest("All documents are empty.")
    raise NothingToIngest("The sources hold no documents.")


def chunk_id(build: Build, document: Document, chunk: Chunk) -> str:
    """Content address of a chunk: writing it again changes nothing, and no two builds share one."""
    parts = (build.index, build.revision, document.source, document.name, document.hash, str(chunk.ordinal))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


class Ingestion:
    """One ingestion of one index.

    Args:
        patience: seconds for which a store that is away is asked again.
    """

    def __init__(
        self,
        config: IngestConfig,
        *,
        database: Database,
        vectors: VectorStore,
        embedder: MiniLM,
        progress: Progress = lambda done, total: None,
        patience: float = PATIENCE,
    ) -> None:
        self._fingerprint = fingerprint(config)
        self._build = Build(f"{config.namespace}/{config.index}", revision_name(self._fingerprint))
        self._collection = collection_name(self._build.index, self._build.revision)
        self._chunker = Chunker(embedder.tokenizer, max_tokens=config.max_tokens, overlap=config.overlap)
        self._database = database
        self._vectors = vectors
        self._embedder = embedder
        self._progress = progress
        self._patience = patience

    async def run(self, contents: Contents) -> IngestReport:
        """Bring the build up to date with the contents, and point agents to it.

        Raises:
            NothingToIngest: if there is no text; nothing has changed then.
            StoreUnavailable, VectorsUnavailable: if a store stays away; agents go on with the build they read.
        """
        check_contents(contents)
        plan = await self._patiently(lambda: self._plan(contents))
        cut = [(document, await asyncio.to_thread(self._chunker.chunks, document)) for document in plan.changed]
        total = sum(len(chunks) for _, chunks in cut)
        if not total and not plan.keeps_chunks:
            raise NothingToIngest("the documents hold nothing to quote, headings at most: put sentences under them")
        self._progress(0, total)
        done = 0
        for document, chunks in cut:
            old = plan.chunks.get((document.source, document.name), set())
            await self._take(document, chunks, old=old, progress=self._from(done, total))
            done += len(chunks)
        if plan.removed:
            await self._patiently(lambda: delete_documents(self._database, self._build, plan.removed))
        await self._patiently(self._sweep)
        before = await self._patiently(lambda: read_pointer(self._database, self._build.index))
        report = await self._patiently(lambda: self._publish(contents))
        await self._patiently(lambda: self._forget({self._build.revision, before.revision if before else ""}))
        return report

    def _from(self, done: int, total: int) -> Callable[[int], None]:
        """Progress of one document as progress of the whole."""
        return lambda part: self._progress(done + part, total)

    async def _plan(self, contents: Contents) -> Plan:
        return make_plan(
            contents,
            hashes=await document_hashes(self._database, self._build),
            chunks=await chunk_ids(self._database, self._build),
            vectors=await self._vectors.ids(self._collection),
        )

    async def _take(
        self, document: Document, chunks: list[Chunk], *, old: set[str], progress: Callable[[int], None]
    ) -> None:
        """Embed a document and put it in the place of its earlier version."""
        vectors = await self._embed(document, chunks, progress)
        rows = self._rows(document, chunks, vectors)
        stored = StoredDocument(document.source, document.name, document.title, document.text, document.hash)
        ids = [row.id for row in rows]
        if ids:
            await self._patiently(lambda: self._vectors.upsert(self._collection, ids, vectors[: len(rows)]))
        await self._patiently(lambda: replace_document(self._database, self._build, stored, rows))
        await self._patiently(lambda: self._vectors.delete(self._collection, sorted(old - set(ids))))
        progress(len(rows))

    async def _embed(self, document: Document, chunks: list[Chunk], progress: Callable[[int], None]) -> Matrix:
        """Vectors of the chunks, then of all their pieces, in order."""
        texts = [chunk_text(document.text, chunk) for chunk in chunks]
        texts += [
            readable(document.text[piece.start : piece.end], piece.kind) for chunk in chunks for piece in chunk.pieces
        ]
        share = len(chunks) / len(texts) if texts else 0
        return await self._embedder.embed_texts(texts, progress=lambda embedded: progress(int(embedded * share)))

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
        known = set().union(*(await chunk_ids(self._database, self._build)).values())
        stale = await self._vectors.ids(self._collection) - known
        await self._vectors.delete(self._collection, sorted(stale))

    async def _publish(self, contents: Contents) -> IngestReport:
        """Point agents to the build."""
        documents, chunks = await counts(self._database, self._build)
        failures = contents.failures
        pointer = IndexPointer(
            index=self._build.index,
            revision=self._build.revision,
            fingerprint=self._fingerprint,
            documents=documents,
            chunks=chunks,
            failed=len(failures),
        )
        await write_pointer(self._database, pointer)
        return IngestReport(
            revision=self._build.revision,
            fingerprint=self._fingerprint,
            documents=documents,
            chunks=chunks,
            failed=len(failures),
            failures=tuple(str(failure) for failure in failures[:FAILURES_TOLD]),
        )

    async def _forget(self, kept: set[str]) -> None:
        """Remove the builds that nobody can be reading."""
        for revision in await revisions(self._database, self._build.index) - kept:
            await self._vectors.drop(collection_name(self._build.index, revision))
            await delete_build(self._database, Build(self._build.index, revision))

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        return await patiently(step, seconds=self._patience)
