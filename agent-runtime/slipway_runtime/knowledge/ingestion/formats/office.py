"""Word documents and presentations to Markdown."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

import mammoth
from bs4 import BeautifulSoup
from lxml.etree import LxmlError
from pptx import Presentation
from pptx.exc import PythonPptxError
from pptx.shapes.base import BaseShape
from pptx.shapes.group import GroupShape

from slipway_runtime.knowledge.ingestion.formats.archives import check_archive, core_properties
from slipway_runtime.knowledge.ingestion.formats.markup import to_markdown
from slipway_runtime.knowledge.ingestion.formats.parsed import Media, Parsed, Unreadable, cleaned

FAULTS = (
    PythonPptxError, LxmlError, BadZipFile, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError,
    OSError, RecursionError, NotImplementedError, SyntaxError,
)  # fmt: skip
"""What the libraries raise on files that are not as the format demands."""


def read_word(content: bytes) -> Parsed:
    """A Word document: headings, paragraphs, lists and tables. Pictures and comments are left out.

    Raises:
        Unreadable: if it is damaged, encrypted or unpacks to too much.
    """
    archive = check_archive(content, "DOCX")
    try:
        html = mammoth.convert_to_html(BytesIO(content), convert_image=lambda _: []).value
        text = to_markdown(BeautifulSoup(html, "lxml"))
    except FAULTS as error:
        raise Unreadable("a damaged DOCX; write it again") from error
    metadata = core_properties(archive)
    return Parsed(text=text, media=Media.MARKDOWN, title=str(metadata.get("title", "")), metadata=metadata)


def read_slides(content: bytes) -> Parsed:
    """A presentation: each slide under a heading with its title, and its notes.

    Raises:
        Unreadable: if it is damaged, encrypted or unpacks to too much.
    """
    archive = check_archive(content, "PPTX")
    text, pages = "", []
    try:
        for number, slide in enumerate(Presentation(BytesIO(content)).slides, start=1):
            pages.append((len(text), number))
            text += _slide(slide, number)
    except FAULTS as error:
        raise Unreadable("a damaged PPTX; write it again") from error
    metadata = core_properties(archive)
    title = str(metadata.get("title", ""))
    return Parsed(text=text, media=Media.MARKDOWN, title=title, metadata=metadata, pages=tuple(pages))


def _slide(slide: Any, number: int) -> str:
    title = slide.shapes.title
    words = _line(title.text_frame.text) if title is not None and title.has_text_frame else ""
    parts = [f"# {words or f'Slide {number}'}"]
    for shape in _shapes(slide.shapes):
        if title is None or shape.shape_id != title.shape_id:
            parts.extend(_parts(shape))
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        parts.append(_paragraphs(slide.notes_slide.notes_text_frame))
    return "\n\n".join(part for part in parts if part) + "\n\n"


def _shapes(shapes: Any) -> Iterator[BaseShape]:
    """All shapes, also those in groups."""
    for shape in shapes:
        if isinstance(shape, GroupShape):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _parts(shape: Any) -> Iterator[str]:
    if shape.has_text_frame:
        yield _paragraphs(shape.text_frame)
    if getattr(shape, "has_table", False):
        rows = [[_line(cell.text).replace("|", "\\|") for cell in row.cells] for row in shape.table.rows]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines[1:1] = [f"|{' --- |' * len(rows[0])}"]
        yield "\n".join(lines)


def _line(text: str) -> str:
    return " ".join(cleaned(text).replace("\v", " ").split())


def _paragraphs(frame: Any) -> str:
    """The paragraphs of a text frame, indented ones as list items below those before them."""
    lines = [("  " * min(each.level, 4) + "- ", _line(each.text)) for each in frame.paragraphs]
    return "\n".join(marker + line for marker, line in lines if line)
