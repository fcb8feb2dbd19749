"""The documents of an index: rows in the namespace's store, texts there or where `spec.documents.store` says.

Titles, metadata, states and words are always in the store, so that lists and searches need nothing else.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import orjson

from slipway_crds.runtimeconfig import DocumentsConfig
from slipway_runtime.knowledge.access import may_read
from slipway_runtime.knowledge.retrieval.narrowing import narrowing
from slipway_runtime.knowledge.terms import terms
from slipway_runtime.knowledge.vectors.filters import Filter
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.document_reads import PassageRead, find_passages, kept_elsewhere, places_of, read_row
from slipway_runtime.store.document_states import (
    DocumentEntry,
    document_entry,
    documents_of_chunks,
    list_documents,
)
from slipway_runtime.store.documents import (
    Build,
    Passage,
    StoredChunk,
    StoredDocument,
    delete_build,
    delete_documents,
    replace_document,
)
from slipway_runtime.store.lexical import fitting_documents, search_terms
from slipway_runtime.store.texts import OpenTexts, TextKey, TextSpan, TextStore

log = logging.getLogger(__name__)
HERE = DocumentsConfig()
CHUNKS_OF_DOCUMENT = 8
"""So many times the documents that are asked for, chunks are looked at: a document may have several that fit."""


class DocumentStore:
    """What an index has of its documents.

    Args:
        database: the namespace's store.
        texts: gives the places of texts outside of it; None where no index has one.
    """

    def __init__(self, database: Database, texts: OpenTexts | None = None) -> None:
        self.database = database
        self._texts = texts

    async def store_document(
        self,
        build: Build,
        document: StoredDocument,
        chunks: Sequence[StoredChunk] = (),
        *,
        place: DocumentsConfig = HERE,
        writer: str = "",
    ) -> None:
        """Put a document, embedded, in the place of what the build has under its name. The text of its former version
        goes with the next `sweep_texts`.

        Args:
            place: where its text is kept.
            writer: who notes its former chunks as pending (`store/documents.py`).

        Raises:
            StoreUnavailable: if a store is unavailable; doing it again is safe. Until the end, the former version is
                what is read.
        """
        if place == HERE:
            await replace_document(self.database, build, replace(document, kept=""), chunks, writer=writer)
            return
        texts = await self._opened(build.index, place)
        await texts.put_text(build, _key(document), document.text)
        row = replace(document, kept=place.canonical().decode())
        await replace_document(self.database, build, row, chunks, writer=writer)

    async def get_document(self, build: Build, source: str, name: str) -> StoredDocument | None:
        """A document with its text; None if the build has none of this name, or not its text any more."""
        found = await read_row(self.database, build, source, name)
        if found is None or not found.kept:
            return found
        texts = await self._of_row(build.index, found.kept)
        text = await texts.get_text(build, _key(found))
        return None if text is None else replace(found, text=text)

    async def search_documents(
        self,
        build: Build,
        words: str = "",
        where: Filter | None = None,
        *,
        restricted: bool = False,
        after: tuple[str, str] = ("", ""),
        limit: int = 100,
    ) -> list[DocumentEntry]:
        """Documents that have these words, best first; without words, all by source and name.

        Args:
            where: what the attributes of one of its passages have to be.
            restricted: whether only those are shown that the reader may read (`access.reading_for`).
            after: source and name of the last one that was listed; without words or a filter only.

        Raises:
            UnsupportedFilter: if the store cannot filter so.
        """
        if not words and where is None:
            listed = await list_documents(self.database, build, after=after, limit=limit)
            return [each for each in listed if not restricted or may_read(each.metadata)]
        asked = dict.fromkeys(terms(words), 1.0)
        narrowed = None if where is None else narrowing(where)
        if words:
            count = limit * CHUNKS_OF_DOCUMENT
            keys = await documents_of_chunks(
                self.database, build, await search_terms(self.database, build, asked, count, narrowed)
            )
        else:
            assert narrowed is not None
            keys = await fitting_documents(self.database, build, narrowed)
        found: list[DocumentEntry] = []
        for key in keys:
            entry = await document_entry(self.database, build, key)
            if entry is not None and (not restricted or may_read(entry.metadata)):
                found.append(entry)
            if len(found) == limit:
                break
        return found

    async def read_passages(self, build: Build, passages: Sequence[Passage]) -> list[str | None]:
        """The text at these places of the documents now; None where there is no such document."""
        found = await find_passages(self.database, build, passages)
        quotes = [None if each is None else each.text for each in found]
        places: dict[str, list[tuple[int, TextSpan]]] = {}
        for number, (passage, each) in enumerate(zip(passages, found, strict=True)):
            if each is not None and each.kept:
                places.setdefault(each.kept, []).append((number, _span(passage, each)))
        for kept, spans in places.items():
            texts = await self._of_row(build.index, kept)
            parts = await texts.spans(build, [span for _, span in spans])
            for (number, _), part in zip(spans, parts, strict=True):
                quotes[number] = part
        return quotes

    async def compared(
        self, build: Build, chunks: Sequence[tuple[StoredChunk, str | None]]
    ) -> list[tuple[StoredChunk, str | None]]:
        """What `read_chunks` gave, compared with texts that are kept elsewhere as well."""
        odd = [chunk for chunk, otherwise in chunks if otherwise is not None]
        places = [Passage(chunk.source, chunk.document, chunk.start, chunk.end) for chunk in odd]
        texts = dict(zip((chunk.id for chunk in odd), await self.read_passages(build, places), strict=True))
        return [
            (chunk, None if otherwise is None or texts[chunk.id] == chunk.text else texts[chunk.id] or "")
            for chunk, otherwise in chunks
        ]

    async def delete_documents(
        self, build: Build, keys: Sequence[tuple[str, str]], *, place: DocumentsConfig = HERE
    ) -> None:
        """Remove documents, given by source and name, with their chunks and texts."""
        gone = set(keys)
        await delete_documents(self.database, build, keys)
        await self._sweep(build, place, lambda text: (text.source, text.name) in gone)

    async def sweep_texts(self, build: Build, place: DocumentsConfig, *, source: str | None = None) -> None:
        """Remove texts that no document has: of former versions, and of what was interrupted.

        Nobody may write to what is swept meanwhile, since a text is written before its row.

        Args:
            source: whose texts; None: those of all sources.
        """
        await self._sweep(build, place, lambda text: source is None or text.source == source)

    async def without_text(self, build: Build, place: DocumentsConfig) -> set[tuple[str, str]]:
        """Source and name of the documents whose text is not at its place, though their rows say so."""
        if place == HERE:
            return set()
        texts = await self._opened(build.index, place)
        rows = await kept_elsewhere(self.database, build, place.canonical().decode())
        there = await texts.text_keys(build)  # after the rows: a text is there before its row
        return {(source, name) for source, name, hash_ in rows if TextKey(source, name, hash_) not in there}

    async def _sweep(self, build: Build, place: DocumentsConfig, swept: Callable[[TextKey], bool]) -> None:
        if place == HERE:
            return
        texts = await self._opened(build.index, place)
        there = await texts.text_keys(build)  # before the rows: what is written from now on is not removed
        rows = await kept_elsewhere(self.database, build, place.canonical().decode())
        unused = there - {TextKey(*row) for row in rows}
        await texts.delete_texts(build, sorted(text for text in unused if swept(text)))

    async def drop_build(self, build: Build, place: DocumentsConfig) -> None:
        """Remove everything of a build. Texts at a place that the index has left may stay there.

        Args:
            place: where texts are kept now.
        """
        places = await places_of(self.database, build)
        for kept in sorted({*places, place.canonical().decode()} - {HERE.canonical().decode()}):
            try:
                await (await self._of_row(build.index, kept)).drop_texts(build.index, build.revision)
            except StoreUnavailable as error:
                if kept == place.canonical().decode():
                    raise
                log.warning(
                    "texts stay", extra={"index": build.index, "revision": build.revision, "detail": str(error)}
                )
        await delete_build(self.database, build)

    async def purge_texts(self, index: str, place: DocumentsConfig) -> None:
        """Remove all texts of an index that are at this place, outside the store."""
        if place != HERE:
            await (await self._opened(index, place)).drop_texts(index)

    async def _of_row(self, index: str, kept: str) -> TextStore:
        return await self._opened(index, DocumentsConfig.model_validate(orjson.loads(kept)))

    async def _opened(self, index: str, place: DocumentsConfig) -> TextStore:
        if self._texts is None:
            raise StoreUnavailable(f"this process has no way to the texts of the index {index}")
        return await self._texts(index, place)


def _key(document: StoredDocument) -> TextKey:
    return TextKey(document.source, document.name, document.hash)


def _span(passage: Passage, read: PassageRead) -> TextSpan:
    return TextSpan(TextKey(passage.source, passage.document, read.hash), passage.start, passage.end)
