"""Documents that are files or in memory already."""

import asyncio
import os
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
from slipway_runtime.knowledge.ingestion.sources.paths import chosen


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
    paths: tuple[str, ...] = ()
    """Of a volume, whose folders are looked into: which files are documents."""

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`."""
        try:
            files = await asyncio.to_thread(_files, self.folder, self.paths)
        except FileNotFoundError:
            raise SourceUnavailable(f"its folder {self.folder} is not mounted") from None
        for path in files:
            version = await asyncio.to_thread(_version, path, content=not self.paths)
            yield DocumentRef(self.name, path.relative_to(self.folder).as_posix(), version)

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        content = await asyncio.to_thread((self.folder / ref.name).read_bytes)
        if len(content) > MOST_BYTES:
            raise too_large(len(content))
        return LoadedDocument(ref, content)


def _files(folder: Path, paths: tuple[str, ...]) -> list[Path]:
    if not paths:
        found = (path for path in folder.iterdir() if not path.name.startswith("..") and path.is_file())
        return sorted(found, key=lambda path: path.name)
    wanted, root = chosen(paths), folder.resolve()
    every = (Path(at) / name for at, _, names in os.walk(folder, onerror=_raise) for name in names)
    named = [path for path in every if wanted(path.relative_to(folder).as_posix())]
    # A link must not lead to what the pod has besides the volume.
    return sorted(path for path in named if path.is_file() and path.resolve().is_relative_to(root))


def _raise(error: OSError) -> None:
    raise error


def _version(path: Path, *, content: bool) -> str:
    """Of a file: by its content, or, in volumes, which may be large, by when it was written and its size."""
    if content:
        return content_version(path.read_bytes())
    status = path.stat()
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
