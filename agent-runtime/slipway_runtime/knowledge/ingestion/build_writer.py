"""What an ingestion writes to a build: vectors first, then rows; and what it removes again.

- Ids of chunks are noted as pending before their vectors are written, and before their rows are deleted, so that what
  an interruption leaves in the vector store is known without listing it.
- Whoever searches meanwhile finds the old version of a document or the new one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np

from slipway_crds.contract import UPLOADS, collection_name
from slipway_crds.runtimeconfig import IngestConfig
from slipway_runtime.knowledge.documents.document_store import HERE, DocumentStore
from slipway_runtime.knowledge.ingestion.chunking import Chunk
from slipway_runtime.knowledge.ingestion.documents import Document
from slipway_runtime.knowledge.ingestion.embedding_chunks import EmbeddedChunk
from slipway_runtime.knowledge.ingestion.patience import patiently
from slipway_runtime.knowledge.ingestion.planning import DocumentKey, version_of
from slipway_runtime.knowledge.ingestion.rows import metadata_json, stored_chunks
from slipway_runtime.knowledge.ingestion.sources import DocumentRef
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.knowledge.vectors.passages import claim as claim_collection
from slipway_runtime.knowledge.vectors.passages import write_chunks
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import (
    Build,
    DocumentState,
    StoredChunk,
    StoredDocument,
    chunk_ids,
    counts,
    delete_documents,
    pend,
    pending_ids,
    settle,
)
from slipway_runtime.store.installation import installation_id
from slipway_runtime.store.locks import give_lock, hold_lock
from slipway_runtime.store.pointers import recount

WRITING = "writing"
LOCK_SECONDS = 60.0
"""After which a writer counts as dead. Under its lock it writes what it made before: it embeds nothing."""

T = TypeVar("T")


class BuildWriter:
    """Writes to one build.

    Args:
        owner: who writes, where hosts write uploads to the same build.
        own: name of the shard whose documents are written; empty for all of them.
        patience: seconds for which a store that is unavailable is asked again.
    """

    def __init__(
        self,
        config: IngestConfig,
        build: Build,
        *,
        database: Database,
        documents: DocumentStore,
        vectors: VectorStore,
        owner: str,
        own: str,
        patience: float,
    ) -> None:
        self._config = config
        self._documents = documents
        self._owner = f"{owner} {own}".strip()
        self._patience = patience
        self.own = own
        self.build = build
        self.collection = collection_name(build.index, build.revision)
        self.database = database
        self.vectors = vectors

    async def patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """See `patience.patiently`."""
        return await patiently(step, seconds=self._patience)

    async def claim(self) -> None:
        """Take the collection for this installation.

        Raises:
            CollectionTaken: if another installation has an index of this name at the same back end.
        """
        if self._config.vectors.connection is not None:  # to others, nobody else has a way
            installation = await self.patiently(lambda: installation_id(self.database))
            await self.patiently(
                lambda: claim_collection(self.vectors, self.collection, self.build.index, installation)
            )

    @asynccontextmanager
    async def writing(self, writer: str = "") -> AsyncIterator[None]:
        """Keep others from writing to the build meanwhile, where others may: to sweep is to remove what they began.
        A shard removes only what it began itself."""
        if self._config.uploads is None or writer:
            yield
            return
        index, owner = self.build.index, self._owner
        await self.patiently(lambda: hold_lock(self.database, index, WRITING, owner=owner, seconds=LOCK_SECONDS))
        try:
            yield
        finally:
            await self.patiently(lambda: give_lock(self.database, index, WRITING, owner=owner))

    async def lost(self, states: Mapping[DocumentKey, DocumentState]) -> set[DocumentKey]:
        """Documents some of whose vectors are missing. The ids are compared only where the number says so."""
        if await self.vectors.count(self.collection) >= sum(state.chunks for state in states.values()):
            return set()
        return await self.missing(states)

    async def missing(self, states: Container[DocumentKey]) -> set[DocumentKey]:
        """Those of the documents some of whose vectors are missing."""
        found = await chunk_ids(self.database, self.build)
        ids = {key: each for key, each in found.items() if key in states}
        present = await self.vectors.present(self.collection, [id_ for each in ids.values() for id_ in sorted(each)])
        return {key for key, each in ids.items() if not each <= present}

    async def without_text(self, states: Container[DocumentKey]) -> set[DocumentKey]:
        """Those of the documents whose text is kept elsewhere, and is not there any more."""
        found = await self._documents.without_text(self.build, self._config.documents)
        return {key for key in found if key in states}

    async def remove(self, documents: Sequence[DocumentKey]) -> None:
        """Remove documents with their vectors."""
        if documents:
            async with self.writing():
                await self.patiently(lambda: delete_documents(self.database, self.build, documents))
                await self.patiently(lambda: self.sweep(""))

    def writer_of(self, source: str) -> str:
        """Who writes documents of a source. Uploads are written by hosts too, so whoever does has to hold the lock."""
        return "" if source == UPLOADS else self.own

    async def sweep_texts(self, *, source: str | None = None) -> None:
        """Remove texts that no document has any more, where they are not in the store.

        A text is written before its row, and shards write without a lock. So shards sweep nothing; who publishes does,
        once all of them are complete. A host, which does not know of shards, sweeps only uploads: they have the lock.
        """
        place = self._config.documents
        if place != HERE:
            async with self.writing():
                await self.patiently(lambda: self._documents.sweep_texts(self.build, place, source=source))

    async def replace(
        self, ref: DocumentRef, document: Document, rows: Sequence[StoredChunk], *, replaces: bool
    ) -> None:
        """Put a document in the place of its earlier version. The vectors of its chunks are there already.

        Args:
            replaces: whether there is an earlier version.
        """
        stored = StoredDocument(
            source=document.source,
            name=document.name,
            title=document.title,
            text=document.text,
            hash=document.hash,
            version=version_of(ref),
            metadata=metadata_json(document),
        )
        place, writer = self._config.documents, self.writer_of(ref.source)
        await self.patiently(
            lambda: self._documents.store_document(self.build, stored, rows, place=place, writer=writer)
        )
        if replaces:
            await self.patiently(lambda: self.sweep(writer))

    async def sweep(self, writer: str | None = None) -> None:
        """Remove vectors that no chunk has any more: of replaced and removed documents, of interrupted ingestions.

        Args:
            writer: who began what is removed; None: whoever did, which nobody may be doing any more.
        """
        await self.vectors.delete(self.collection, await pending_ids(self.database, self.build, writer=writer))
        await settle(self.database, self.build, writer=writer)

    async def write(
        self,
        ref: DocumentRef,
        document: Document,
        chunks: Sequence[Chunk],
        embedded: Sequence[EmbeddedChunk],
        *,
        replaces: bool,
    ) -> None:
        """Put a document with its vectors in the place of its earlier version.

        Args:
            replaces: whether there is an earlier version.
        """
        rows, attributes = stored_chunks(self.build, document, chunks, embedded)
        ids = [row.id for row in rows]
        vectors = np.stack([each.vectors[0] for each in embedded])
        writer = self.writer_of(ref.source)
        async with self.writing(writer):
            await self.patiently(lambda: pend(self.database, self.build, ids, writer=writer))
            texts = [f"{row.heading}\n{row.text}".strip() for row in rows]
            await self.patiently(lambda: write_chunks(self.vectors, self.collection, ids, texts, vectors, attributes))
            await self.replace(ref, document, rows, replaces=replaces)

    async def recount(self) -> None:
        """Have the pointer say how much the build has now, if it leads there."""
        documents, chunks = await counts(self.database, self.build)
        await recount(self.database, self.build.index, self.build.revision, documents=documents, chunks=chunks)
