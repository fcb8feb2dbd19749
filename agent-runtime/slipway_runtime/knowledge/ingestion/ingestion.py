"""From documents to an index that agents can read.

A *build* is one rendering of an index: one model, one way of cutting; their fingerprint is its name.

- Sources are listed first. Documents whose version did not change are not loaded; the others are taken one by one, so
  that memory holds one document at a time: new vectors, then the document with its chunks in one transaction, then the
  old vectors go. Whoever searches meanwhile finds the old or the new.
- How documents are written and removed, so that an interruption leaves nothing, is in `build_writer.py`.
- Another fingerprint makes another build alongside the one that agents read; the pointer moves when it is whole.
- What fails in between leaves the pointer, and so the serving build, as it was. Every step may be repeated.
- A document that cannot be read is named in the report; if an earlier version of it is in the build, that stays.
- A build that agents have not read yet has to be accepted (`acceptance.py`); if it is not, it stays where it is, and so
  does the pointer.
- The build that was served before is kept for a while (`former.py`), at least until the ingestion after, for runs that
  began with it.

One ingestion of an index runs at a time; that is the caller's matter. Several processes may do it together
(`sharding.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Container, Mapping, Sequence
from contextlib import suppress

from slipway_crds.contract import UPLOADS
from slipway_crds.runtimeconfig import IngestConfig, IngestReport
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.embedding.embedder import Embedder
from slipway_runtime.knowledge.ingestion.acceptance import Acceptance, AcceptanceVerdict
from slipway_runtime.knowledge.ingestion.build_writer import BuildWriter
from slipway_runtime.knowledge.ingestion.chunking import Chunk, Chunker
from slipway_runtime.knowledge.ingestion.documents import Document, DocumentReader, Failure
from slipway_runtime.knowledge.ingestion.embedding_chunks import embed_chunks
from slipway_runtime.knowledge.ingestion.fingerprint import check_fingerprint, fingerprint, revision_name
from slipway_runtime.knowledge.ingestion.formats.parsed import Unreadable
from slipway_runtime.knowledge.ingestion.former import FormerBuilds
from slipway_runtime.knowledge.ingestion.patience import PATIENCE
from slipway_runtime.knowledge.ingestion.planning import (
    DocumentKey,
    IngestionPlan,
    SourceListing,
    list_all,
    make_plan,
    version_of,
)
from slipway_runtime.knowledge.ingestion.recall import BuildVectors
from slipway_runtime.knowledge.ingestion.reporting import report_of
from slipway_runtime.knowledge.ingestion.restricting import as_restricted, with_access
from slipway_runtime.knowledge.ingestion.rows import metadata_json
from slipway_runtime.knowledge.ingestion.sources import DocumentRef, DocumentSource, Gone, NotLoaded, SourceUnavailable
from slipway_runtime.knowledge.ingestion.taken import IngestionProgress as IngestionProgress
from slipway_runtime.knowledge.ingestion.taken import NoSourceAvailable as NoSourceAvailable
from slipway_runtime.knowledge.ingestion.taken import NothingToIngest as NothingToIngest
from slipway_runtime.knowledge.ingestion.taken import TakenDocuments, check_something
from slipway_runtime.knowledge.vectors.contract import (
    OpenVectors,
    VectorStore,
)
from slipway_runtime.knowledge.vectors.passages import wait_until_searchable
from slipway_runtime.store.database import Database
from slipway_runtime.store.document_states import begin_documents, fail_document, settle_document
from slipway_runtime.store.documents import (
    Build,
    DocumentState,
    counts,
    document_states,
    read_metadata,
    set_version,
    stored_vectors,
)
from slipway_runtime.store.pointers import IndexPointer, read_pointer, write_pointer
from slipway_runtime.store.shards import Shard, UnreadDocument
from slipway_runtime.store.texts import OpenTexts
from slipway_runtime.store.uploads import fail_upload

log = logging.getLogger(__name__)


async def nothing_meanwhile() -> None:
    """Nothing is to be done between documents."""


class Ingestion:
    """One ingestion of one index.

    Args:
        progress: called whenever it has got further.
        patience: seconds for which a store that is unavailable is asked again.
        owner: who writes, where hosts write uploads to the same build.
        places: gives the vector stores of builds that are elsewhere; None: all are in the one of this build.
        acceptance: what a build has to reach before agents read it; None: nothing.
        kept: names of builds that stay, besides those that agents read now and before.
        meanwhile: called before each document, so that what agents read is not forgotten over a long build.
        shard: of the documents, for `take_share`; None: all of them.
        texts: gives the place of texts, where that is not the store.
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
        owner: str = "ingestion",
        places: OpenVectors | None = None,
        acceptance: Acceptance | None = None,
        kept: frozenset[str] = frozenset(),
        meanwhile: Callable[[], Awaitable[None]] = nothing_meanwhile,
        shard: Shard | None = None,
        texts: OpenTexts | None = None,
    ) -> None:
        self._config = config
        self._shard = shard
        self._unread: Mapping[tuple[DocumentKey, str], str] = {}
        self._fingerprint = fingerprint(config, embedder)
        self._place, self._search = config.vectors, config.search
        self._embedding = config.embedding
        self._build = Build(f"{config.namespace}/{config.index}", revision_name(self._fingerprint, config))
        self._chunker = Chunker(embedder, max_tokens=config.max_tokens, overlap=config.overlap)
        self._database = database
        documents = DocumentStore(database, texts)
        self._writer = BuildWriter(
            config,
            self._build,
            database=database,
            documents=documents,
            vectors=vectors,
            owner=owner,
            own=shard.writer if shard is not None else "",
            patience=patience,
        )
        self._patiently = self._writer.patiently
        self._vectors = vectors
        self._embedder = embedder
        self._progress = progress
        self._acceptance = acceptance
        self._kept = kept
        self._meanwhile = meanwhile
        places = places or (lambda *_: vectors)
        self._former = FormerBuilds(documents, places, self._build.index, config.keep_seconds)
        self._reader = DocumentReader()

    async def run(self, sources: Sequence[DocumentSource], *, unread: Sequence[UnreadDocument] = ()) -> IngestReport:
        """Bring the build up to date with the sources, and point agents to it, unless the report says why not
        (`refused`).

        Args:
            unread: documents that could not be read a moment ago, and are not read again in that version.

        Raises:
            NoSourceAvailable: if sources cannot be read and there would be nothing, or another build without them.
            NothingToIngest: if there is no text; agents go on with the build they read.
            StoreUnavailable, VectorsUnavailable: if a store stays unavailable, or cannot keep to `access`; likewise.
            CollectionTaken: if another installation has an index of this name at the same back end.
            FingerprintMismatch: if the build has vectors that do not go with these.
        """
        self._unread = {((each.source, each.name), each.version): each.reason for each in unread}
        try:
            return await self._run(as_restricted(self._config, self._vectors, sources))
        finally:
            await self._reader.close()

    async def take_share(self, sources: Sequence[DocumentSource]) -> list[UnreadDocument]:
        """Bring the documents of the shard up to date, and nothing else. Others may do the same with other shards.

        Documents that left the sources, or became empty, stay until `run`.

        Returns:
            What could not be read.

        Raises:
            StoreUnavailable, VectorsUnavailable: if a store stays unavailable.
        """
        assert self._shard is not None
        shard, sources = self._shard, as_restricted(self._config, self._vectors, sources)
        try:
            await self._writer.claim()
            await self._patiently(lambda: self._writer.sweep(self._writer.own))
            every = await self._patiently(lambda: document_states(self._database, self._build))
            states = {key: state for key, state in every.items() if shard.has(key)}
            lost = await self._patiently(lambda: self._writer.missing(states))
            lost |= await self._patiently(lambda: self._writer.without_text(states))
            listing = await list_all(sources, every)
            mine = SourceListing([ref for ref in listing.refs if shard.has(ref.key)], listing.unavailable)
            plan = make_plan(mine, states=states, lost=lost)
            by_name = {source.name: source for source in sources}
            await self._begin(plan, {*by_name} - {*listing.unavailable})
            taken = await self._take_all(plan, by_name, states=states, lost=lost)
        finally:
            await self._reader.close()
        versions = {ref.key: version_of(ref) for ref in plan.load}
        return [
            UnreadDocument(each.source, each.name, versions[each.source, each.name], each.reason)
            for each in taken.failures
        ]

    async def _run(self, sources: Sequence[DocumentSource]) -> IngestReport:
        await self._writer.claim()
        before = await self._patiently(lambda: read_pointer(self._database, self._build.index))
        check_fingerprint(before, self._build.revision, self._fingerprint)
        listing, taken = await self._bring_up_to_date(sources, before)
        candidate = await self._patiently(lambda: self._pointer(taken))
        await wait_until_searchable(self._vectors, self._writer.collection, candidate.chunks)
        verdict = AcceptanceVerdict()
        if self._acceptance is not None and (before is None or before.revision != self._build.revision):
            listed = {ref.key for ref in listing.refs}
            verdict = await self._accept(self._acceptance, candidate, before, listed)
        if not verdict.refused:
            async with self._writer.writing():
                await self._patiently(self._writer.sweep)
                candidate = await self._patiently(lambda: self._pointer(taken))
                await self._patiently(lambda: write_pointer(self._database, candidate))
        kept = {self._build.revision, before.revision if before else "", *self._kept}
        previous = await self._patiently(
            lambda: self._former.forget(kept=kept, place=self._place, texts=self._config.documents)
        )
        return report_of(candidate, taken, verdict, previous)

    async def _bring_up_to_date(
        self, sources: Sequence[DocumentSource], before: IndexPointer | None
    ) -> tuple[SourceListing, TakenDocuments]:
        """Make the build what the sources have."""
        async with self._writer.writing():
            await self._patiently(self._writer.sweep)
        states = await self._patiently(lambda: document_states(self._database, self._build))
        lost = await self._patiently(lambda: self._writer.lost(states))
        lost |= await self._patiently(lambda: self._writer.without_text(states))
        listing = await list_all(sources, states)
        plan = make_plan(listing, states=states, lost=lost)
        by_name = {source.name: source for source in sources}
        await self._begin(plan, {*by_name} - {*listing.unavailable})
        taken = await self._take_all(plan, by_name, states=states, lost=lost)
        taken.unavailable |= listing.unavailable
        elsewhere = before is not None and before.revision != self._build.revision
        waits_for_uploads = self._config.uploads is not None and not self._config.sources
        check_something(listing, plan, taken, elsewhere=elsewhere, waits_for_uploads=waits_for_uploads)
        await self._empty(taken, by_name, states)
        await self._writer.remove(plan.removed)
        await self._writer.sweep_texts()
        return listing, taken

    async def _empty(
        self, taken: TakenDocuments, sources: Mapping[str, DocumentSource], known: Container[DocumentKey]
    ) -> None:
        """Leave documents without chunks that have no words. What changed meanwhile, the next ingestion sees."""
        for ref, hash_ in taken.wordless.items():
            with suppress(Unreadable, NotLoaded, SourceUnavailable):
                document = await self._load(ref, sources[ref.source])
                if document.hash == hash_:
                    async with self._writer.writing():
                        await self._writer.replace(ref, document, [], replaces=ref.key in known)

    async def _accept(
        self, acceptance: Acceptance, candidate: IndexPointer, before: IndexPointer | None, listed: set[DocumentKey]
    ) -> AcceptanceVerdict:
        vectors = BuildVectors(
            self._database, self._build, self._vectors, self._writer.collection, self._embedder.dimensions
        )
        return await self._patiently(
            lambda: acceptance.verdict(candidate, vectors, self._embedder, before=before, listed=listed)
        )

    async def follow(self, sources: Sequence[DocumentSource]) -> None:
        """Bring the build that agents read up to date with the sources; the pointer stays where it is.

        Raises:
            as `run` does.
        """
        try:
            pointer = await read_pointer(self._database, self._build.index)
            check_fingerprint(pointer, self._build.revision, self._fingerprint)
            await self._bring_up_to_date(as_restricted(self._config, self._vectors, sources), pointer)
            await self._writer.recount()
        finally:
            await self._reader.close()

    async def update(self, source: DocumentSource, *, kept: Container[str] = ()) -> None:
        """Bring the documents of one source up to date in the build that agents read already.

        Args:
            kept: documents that stay though the source does not list them.

        Raises:
            StoreUnavailable, VectorsUnavailable: if a store stays unavailable.
            FingerprintMismatch: if the build has vectors that do not go with these.
        """
        [source] = as_restricted(self._config, self._vectors, [source])
        try:
            pointer = await read_pointer(self._database, self._build.index)
            check_fingerprint(pointer, self._build.revision, self._fingerprint)
            states = await document_states(self._database, self._build, source=source.name)
            plan = make_plan(await list_all([source], states), states=states, lost=set())
            await self._begin(plan, set())
            taken = await self._take_all(plan, {source.name: source}, states=states, lost=set())
            await self._empty(taken, {source.name: source}, states)
            await self._writer.remove([key for key in plan.removed if key[1] not in kept])
            await self._writer.sweep_texts(source=source.name)
            await self._writer.recount()
        finally:
            await self._reader.close()

    async def _begin(self, plan: IngestionPlan, sources: Collection[str]) -> None:
        """Note what is to be taken, of the sources that were listed."""
        keys, place = [ref.key for ref in plan.load], (self._database, self._build)
        ours = self._shard.has if self._shard is not None else lambda key: True
        await self._patiently(lambda: begin_documents(*place, keys, sources=sources, ours=ours))

    async def _take_all(
        self,
        plan: IngestionPlan,
        sources: Mapping[str, DocumentSource],
        *,
        states: Mapping[DocumentKey, DocumentState],
        lost: set[DocumentKey],
    ) -> TakenDocuments:
        taken = TakenDocuments()
        for number, ref in enumerate(plan.load):
            done = IngestionProgress(number, len(plan.load), taken.made)
            self._progress(done)
            await self._meanwhile()
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
        taken: TakenDocuments,
        *,
        known: bool,
        done: IngestionProgress,
    ) -> None:
        """Load a document that may have changed, and take it if it has.

        Args:
            state: what the build has of it, unless some of its vectors are missing.
            known: whether the build has it.
        """
        reason = self._unread.get((ref.key, version_of(ref)))
        try:
            if reason is not None:
                raise NotLoaded(reason)
            document = await self._load(ref, source)
        except Gone:
            await self._patiently(lambda: settle_document(self._database, self._build, ref.key))
            return
        except SourceUnavailable as error:
            taken.unavailable[ref.source] = str(error)
            taken.kept_failing |= state is not None and state.chunks > 0
            return
        except (Unreadable, NotLoaded) as error:
            await self._fail(ref, str(error))
            taken.failures.append(Failure(source=ref.source, name=ref.name, reason=str(error)))
            taken.kept_failing |= state is not None and state.chunks > 0
            return
        if state is not None and state.hash == document.hash and await self._same_metadata(ref, document):
            await self._patiently(lambda: set_version(self._database, self._build, ref.key, version_of(ref)))
            await self._patiently(lambda: settle_document(self._database, self._build, ref.key))
            taken.unchanged += state.chunks
            return
        chunks = await asyncio.to_thread(self._chunker.chunks, document)
        if not chunks:
            taken.wordless[ref] = document.hash
            taken.blank &= not document.text.strip()
            return
        await self._take(ref, document, chunks, replaces=known, done=done)
        taken.made += len(chunks)

    async def _fail(self, ref: DocumentRef, reason: str) -> None:
        await self._patiently(lambda: fail_document(self._database, self._build, ref.key, reason))
        if ref.source == UPLOADS:
            place = (self._build.index, ref.name, ref.version)
            await self._patiently(lambda: fail_upload(self._database, *place, reason))

    async def _same_metadata(self, ref: DocumentRef, document: Document) -> bool:
        stored = await self._patiently(lambda: read_metadata(self._database, self._build, ref.key))
        return stored == metadata_json(document)

    async def _take(
        self, ref: DocumentRef, document: Document, chunks: list[Chunk], *, replaces: bool, done: IngestionProgress
    ) -> None:
        """Embed a document and put it in the place of its earlier version."""
        known = await self._patiently(lambda: stored_vectors(self._database, self._build, ref.key)) if replaces else {}

        def report(embedded: int) -> None:
            self._progress(IngestionProgress(done.done, done.total, done.chunks + embedded))

        embedded = await embed_chunks(self._embedder, chunks, known=known, progress=report)
        await self._writer.write(ref, document, chunks, embedded, replaces=replaces)

    async def _pointer(self, taken: TakenDocuments) -> IndexPointer:
        """What leads agents to the build as it is now."""
        documents, chunks = await counts(self._database, self._build)
        return IndexPointer(
            index=self._build.index,
            revision=self._build.revision,
            fingerprint=self._fingerprint,
            documents=documents,
            chunks=chunks,
            failed=len(taken.failures),
            vectors=self._place,
            embedding=self._embedding,
            config=self._config.canonical().decode(),
            search=self._search,
        )

    async def _load(self, ref: DocumentRef, source: DocumentSource) -> Document:
        loaded = await source.load(ref)
        return with_access(self._config, await self._reader.read(loaded.ref, loaded.content))
