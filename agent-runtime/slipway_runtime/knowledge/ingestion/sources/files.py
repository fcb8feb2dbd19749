"""Documents that are files or in memory already."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway_runtime.knowledge.ingestion.sources.contract import (
    MOST_BYTES,
    NOTHING,
    DocumentRef,
    LoadedDocument,
    SourceUnavailable,
    content_version,
    too_large,
)


@dataclass(frozen=True)
class ItemsSource:
    """Documents that are in memory already, by name: the keys of a ConfigMap among the local driver's manifests."""

    name: str
    items: Mapping[str, bytes]

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`."""
        for name, content in sorted(self.items.items()):
            yield DocumentRef(self.name, name, content_version(content))

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        return LoadedDocument(ref, self.items[ref.name])


@dataclass(frozen=True)
class FolderSource:
    """A folder with one file a document, such as a mounted ConfigMap.

    Kubernetes mounts a ConfigMap with links and folders that begin with `..`; they are not documents.
    """

    name: str
    folder: Path

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`."""
        try:
            files = await asyncio.to_thread(_files, self.folder)
        except FileNotFoundError:
            raise SourceUnavailable(f"its folder {self.folder} is not mounted") from None
        for path in files:
            content = await asyncio.to_thread(path.read_bytes)
            yield DocumentRef(self.name, path.name, content_version(content))

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        content = await asyncio.to_thread((self.folder / ref.name).read_bytes)
        if len(content) > MOST_BYTES:
            raise too_large(len(content))
        return LoadedDocument(ref, content)


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if not path.name.startswith("..") and path.is_file())
    return sorted(found, key=lambda path: path.name)
