"""What the store and the vector store get of a document's chunks."""

import hashlib
import logging
from collections.abc import Sequence

import orjson

from slipway_runtime.knowledge.ingestion.attributes import attributes_of, bounded
from slipway_runtime.knowledge.ingestion.chunking import Chunk
from slipway_runtime.knowledge.ingestion.documents import Document
from slipway_runtime.knowledge.ingestion.embedding_chunks import EmbeddedChunk
from slipway_runtime.knowledge.pieces import encode_pieces, encode_vectors
from slipway_runtime.knowledge.terms import terms
from slipway_runtime.knowledge.vectors.filters import Attributes
from slipway_runtime.store.documents import Build, StoredChunk

log = logging.getLogger(__name__)


def metadata_json(document: Document) -> str:
    """What a document says about itself, as it is stored."""
    return orjson.dumps(document.metadata, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def chunk_id(build: Build, document: Document, chunk: Chunk) -> str:
    """Content address of a chunk: writing it again changes nothing, and no two builds share one."""
    parts = (build.index, build.revision, document.source, document.name, document.hash, str(chunk.ordinal))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def stored_chunks(
    build: Build, document: Document, chunks: Sequence[Chunk], embedded: Sequence[EmbeddedChunk]
) -> tuple[list[StoredChunk], list[Attributes]]:
    """The rows of a document's chunks, and their attributes."""
    _, reasons = bounded(document.metadata)
    if reasons:
        name = f"{document.source}/{document.name}"
        log.warning("metadata left out", extra={"document": name, "reasons": reasons})
    columns = [chunk.columns for chunk in chunks]
    attributes = list(
        attributes_of(source=document.source, document=document.name, metadata=document.metadata, columns=columns)
    )
    each = zip(chunks, embedded, attributes, strict=True)
    return [_row(build, document, *parts) for parts in each], attributes


def _row(
    build: Build, document: Document, chunk: Chunk, embedded: EmbeddedChunk, attributes: Attributes
) -> StoredChunk:
    return StoredChunk(
        id=chunk_id(build, document, chunk),
        source=document.source,
        document=document.name,
        ordinal=chunk.ordinal,
        heading=chunk.heading,
        start=chunk.start,
        end=chunk.end,
        text=document.text[chunk.start : chunk.end],
        sentences=encode_pieces(chunk.pieces),
        vectors=encode_vectors(embedded.vectors[1:]),
        page=chunk.page,
        attributes=orjson.dumps(attributes).decode(),
        vector=encode_vectors(embedded.vectors[:1]),
        embedded=embedded.digest,
        terms=" ".join(terms("\n".join((chunk.heading, *chunk.words)))),
    )
