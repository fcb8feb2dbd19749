"""From the bytes of a source to a document: text, title, hash; or the reason why it is none.

What is kept is what citations point into. A text is changed as little as the store demands: a byte order mark and NUL
characters go (Postgres cannot hold NUL in text), line ends become `\\n`. Nothing else. Of a PDF, a Word document, a
presentation, a page or a table it is the text that was made of it (`formats/`).
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway_runtime.knowledge.ingestion.formats.choosing import FileFormat, format_of
from slipway_runtime.knowledge.ingestion.formats.isolated import IsolatedReader
from slipway_runtime.knowledge.ingestion.formats.parsed import Media, Parsed
from slipway_runtime.knowledge.ingestion.formats.reading import TEXTS, check_size, parse
from slipway_runtime.knowledge.ingestion.front_matter import FrontMatter, front_matter_of
from slipway_runtime.knowledge.ingestion.sources import DocumentRef
from slipway_runtime.knowledge.vectors.filters import Scalar

FIRST_HEADING = re.compile(r"^#[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
TITLE_MAX = 200
PROSE = frozenset({Media.MARKDOWN, Media.PLAIN})
"""Texts whose first heading is their title."""


@dataclass(frozen=True)
class Document:
    """One text of a source."""

    source: str
    name: str
    title: str
    text: str
    hash: str
    """SHA-256 of the text and how it is cut: what distinguishes a changed document from one that may be skipped."""
    metadata: Mapping[str, object] = field(default_factory=dict)
    """What its source and the document itself say about it: front matter, or properties of the file."""
    media: Media = Media.PLAIN
    begins: int = 0
    """Where the text begins behind its front matter, in characters."""
    pages: tuple[tuple[int, int], ...] = ()
    """Where each page or slide begins, with its number."""
    headings: tuple[tuple[int, str], ...] = ()
    """Where each section begins, of a text whose markup does not say it."""
    rows: tuple[Mapping[str, Scalar], ...] = ()
    """What the columns of each line say, of a table."""


@dataclass(frozen=True)
class Failure:
    """A document that could not be ingested."""

    source: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}/{self.name}: {self.reason}"


def title_of(text: str, name: str, front: FrontMatter) -> str:
    """A document's title: from its front matter, else its first heading, else its name."""
    title = front.values.get("title")
    if isinstance(title, str | int | float) and str(title).strip():
        return str(title).strip()[:TITLE_MAX]
    heading = FIRST_HEADING.search(text, front.end)
    return heading[1][:TITLE_MAX] if heading else name


def document_of(parsed: Parsed, *, source: str, name: str, said: Mapping[str, object] | None = None) -> Document:
    """A document from what its file holds.

    Args:
        said: what the source says about it. What the document says itself comes first.
    """
    front = front_matter_of(parsed.text) if parsed.media is Media.MARKDOWN else FrontMatter()
    title = parsed.title[:TITLE_MAX] or (title_of(parsed.text, name, front) if parsed.media in PROSE else name)
    digest = hashlib.sha256(f"{parsed.media}\0{parsed.text}".encode())
    if parsed.pages or parsed.headings:
        digest.update(repr((parsed.pages, parsed.headings)).encode())
    return Document(
        source=source,
        name=name,
        title=title,
        text=parsed.text,
        hash=digest.hexdigest(),
        metadata={**(said or {}), **parsed.metadata, **front.values},
        media=parsed.media,
        begins=front.end,
        pages=parsed.pages,
        headings=parsed.headings,
        rows=parsed.rows,
    )


def make_document(*, source: str, name: str, content: bytes, content_type: str = "") -> Document:
    """A document from the bytes of its file, read in this process.

    Raises:
        Unreadable: if they are no document.
    """
    kind = format_of(name=name, content_type=content_type, content=content)
    return document_of(parse(kind, content), source=source, name=name)


class DocumentReader:
    """Makes documents of files. What takes much to read is read in a process of its own."""

    def __init__(self) -> None:
        self._isolated = IsolatedReader()

    async def read(self, ref: DocumentRef, content: bytes) -> Document:
        """A document of a source.

        Raises:
            Unreadable: if it is none.
        """
        check_size(content)
        kind: FileFormat = format_of(name=ref.name, content_type=ref.content_type or "", content=content)
        if kind in TEXTS:
            parsed = await asyncio.to_thread(parse, kind, content)
        else:
            parsed = await self._isolated.read(kind, content)
        return document_of(parsed, source=ref.source, name=ref.name, said=ref.metadata)

    async def close(self) -> None:
        """End what reads."""
        await self._isolated.close()
