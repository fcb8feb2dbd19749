"""Where documents come from.

A source is listed first and loaded document by document, so that an ingestion holds one document at a time, and loads
only what has changed.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class DocumentRef:
    """A document of a source, not yet loaded."""

    source: str
    name: str
    version: str
    """Changes whenever the content does: a digest, an ETag, the id of a Git blob. The same version is not loaded."""

    @property
    def key(self) -> tuple[str, str]:
        """What distinguishes it from the other documents of an index."""
        return (self.source, self.name)


class DocumentSource(Protocol):
    """A place that documents come from."""

    @property
    def name(self) -> str:
        """Unique within the index; citations carry it."""
        ...

    def list(self) -> AsyncIterator[DocumentRef]:
        """Every document that is there now, in an order that stays the same while nothing changes.

        Raises:
            FileNotFoundError: if there is no such place.
        """
        ...

    async def load(self, ref: DocumentRef) -> bytes:
        """The content of a document that was listed."""
        ...


def content_version(content: bytes) -> str:
    """The version of a document whose place knows none: the SHA-256 of its bytes."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class ItemsSource:
    """Documents that are in memory already, by name: the keys of a ConfigMap among the local driver's manifests."""

    name: str
    items: Mapping[str, bytes]

    async def list(self) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`."""
        for name, content in sorted(self.items.items()):
            yield DocumentRef(self.name, name, content_version(content))

    async def load(self, ref: DocumentRef) -> bytes:
        """See `DocumentSource`."""
        return self.items[ref.name]


@dataclass(frozen=True)
class FolderSource:
    """A folder with one file a document, such as a mounted ConfigMap.

    Kubernetes mounts a ConfigMap with links and folders that begin with `..`; they are not documents.
    """

    name: str
    folder: Path

    async def list(self) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`."""
        for path in await asyncio.to_thread(_files, self.folder):
            content = await asyncio.to_thread(path.read_bytes)
            yield DocumentRef(self.name, path.name, content_version(content))

    async def load(self, ref: DocumentRef) -> bytes:
        """See `DocumentSource`."""
        return await asyncio.to_thread((self.folder / ref.name).read_bytes)


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if not path.name.startswith("..") and path.is_file())
    return sorted(found, key=lambda path: path.name)
