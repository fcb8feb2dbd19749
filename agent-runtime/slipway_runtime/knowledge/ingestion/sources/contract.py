"""What an ingestion asks of a source."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from slipway_crds.contract import DOCUMENT_BYTES

MOST_BYTES = DOCUMENT_BYTES
"""Of one document. A larger one is named in the report, and the others are ingested."""
MOST_DOCUMENTS = 100_000
"""Of one source."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class SourceUnavailable(Exception):
    """A source cannot be read now. The text says what to do; what the index has of the source stays."""


class NotLoaded(Exception):
    """A document cannot be loaded, and its source can. The text says why."""


class Gone(NotLoaded):
    """A document that was listed is not there any more in that version. The next ingestion sees what is."""


@dataclass(frozen=True)
class DocumentRef:
    """A document of a source."""

    source: str
    name: str
    version: str
    """Changes whenever the content does: a digest, an ETag, the id of a Git blob. The same version is not loaded."""
    content_type: str | None = None
    """The media type, where the place knows one; often known only once the document is loaded."""
    metadata: Mapping[str, object] = field(default_factory=dict, hash=False)
    """What the place says of the document, likewise."""

    @property
    def key(self) -> tuple[str, str]:
        """What distinguishes it from the other documents of an index."""
        return (self.source, self.name)


@dataclass(frozen=True)
class LoadedDocument:
    """A document with its content. `ref` is the one that was listed, with what became known by loading it."""

    ref: DocumentRef
    content: bytes


class DocumentSource(Protocol):
    """A place that documents come from."""

    @property
    def name(self) -> str:
        """Unique within the index; citations carry it."""
        ...

    def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        """Every document that is there now, in an order that stays the same while nothing changes.

        Args:
            known: versions of the documents that the index has of this source, by their names.

        Raises:
            SourceUnavailable: if the place cannot be read.
        """
        ...

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """A document that was listed.

        Raises:
            NotLoaded: if this document cannot be had.
            SourceUnavailable: if the place cannot be read any more.
        """
        ...


def content_version(content: bytes) -> str:
    """The version of a document whose place knows none: the SHA-256 of its bytes."""
    return hashlib.sha256(content).hexdigest()


def too_large(size: int | None = None) -> NotLoaded:
    """Why a document with more than `MOST_BYTES` is not loaded."""
    has = f"it has {size / 2**20:.0f} MiB, and " if size is not None else ""
    return NotLoaded(f"too large: {has}at most {MOST_BYTES // 2**20} MiB are read; split it, or leave it out")
