"""PDF to text, page by page. What is a picture of words stays one: it has to be recognised before."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import Destination

from slipway_runtime.knowledge.ingestion.formats.parsed import TEXT_MAX, Media, Parsed, Unreadable, cleaned

PAGES_MAX = 5_000
TAIL = 4_096
"""The end of a file is marked within so many of its last bytes."""
BROKEN = "a damaged or truncated PDF; write it again"
OUTLINE_DEPTH = 8
FAULTS = (
    PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, OverflowError,
    RecursionError, NotImplementedError,
)  # fmt: skip
"""What pypdf raises on files that are not as the format demands."""


def read_pdf(content: bytes) -> Parsed:
    """The text of all pages, with where each begins, and the outline's headings.

    Raises:
        Unreadable: if it is encrypted, truncated, damaged, too long or without text.
    """
    if b"%%EOF" not in content[-TAIL:]:
        raise Unreadable("a truncated PDF: its end is missing; write it again")
    try:
        reader = PdfReader(BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("an encrypted PDF; remove its password")
        if len(reader.pages) > PAGES_MAX:
            raise Unreadable(f"a PDF of more than {PAGES_MAX} pages; split it")
        texts = _texts(reader)
    except Unreadable:
        raise
    except FAULTS as error:
        raise Unreadable(BROKEN) from error
    if not any(texts):
        raise Unreadable("a PDF without text, perhaps scanned; recognise its text (OCR) first")
    starts = _starts(texts)
    metadata = _metadata(reader)
    return Parsed(
        text="\n\n".join(texts) + "\n",
        media=Media.PLAIN,
        title=str(metadata.get("title", "")),
        metadata=metadata,
        pages=tuple((start, number) for number, start in enumerate(starts, start=1)),
        headings=tuple(_headings(reader, texts, starts)),
    )


def _texts(reader: PdfReader) -> list[str]:
    texts: list[str] = []
    characters = 0
    for page in reader.pages:
        texts.append(cleaned(page.extract_text()).strip())
        characters += len(texts[-1])
        if characters > TEXT_MAX:
            raise Unreadable(f"a PDF with more than {TEXT_MAX:,} characters; split it")
    return texts


def _starts(texts: list[str]) -> list[int]:
    starts = [0]
    for text in texts[:-1]:
        starts.append(starts[-1] + len(text) + 2)
    return starts


def _metadata(reader: PdfReader) -> dict[str, object]:
    """Title, author and time of the last change, as far as the file says them."""
    try:
        about = reader.metadata
        found = {
            "title": about and about.title,
            "author": about and about.author,
            "modified": about and about.modification_date and about.modification_date.isoformat(),
        }
    except FAULTS:
        return {}
    return {name: cleaned(str(value)).strip() for name, value in found.items() if value and str(value).strip()}


def _outline(reader: PdfReader, entries: list[Any], depth: int = 0) -> Iterator[tuple[int, int, str]]:
    """Depth, page from 0 and title of each entry of the outline, in its order."""
    for entry in entries:
        if isinstance(entry, list):
            if depth < OUTLINE_DEPTH:
                yield from _outline(reader, entry, depth + 1)
        elif isinstance(entry, Destination):
            page = reader.get_destination_page_number(entry)
            if page is not None and page >= 0 and entry.title:
                yield depth, page, " ".join(cleaned(str(entry.title)).split())


def _headings(reader: PdfReader, texts: list[str], starts: list[int]) -> list[tuple[int, str]]:
    """Where the sections of the outline begin: at their title in the page's text, else at the page."""
    found: list[tuple[int, str]] = []
    path: list[str] = []
    try:
        for depth, page, title in _outline(reader, reader.outline):
            path = [*path[:depth], title]
            start = starts[page] + max(0, texts[page].find(title))
            found.append((max(start, found[-1][0] if found else 0), " > ".join(path)))
    except FAULTS:  # an outline that leads nowhere harms nobody
        return []
    return found
