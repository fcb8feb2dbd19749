"""The blocks of a document of any kind: paragraphs, code and table rows, each with its place, page and headings."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

from slipway_runtime.knowledge.ingestion.block import CODE_LINES, HEADING_MAX, Block, Lines, code_blocks
from slipway_runtime.knowledge.ingestion.documents import Document
from slipway_runtime.knowledge.ingestion.formats.parsed import Media
from slipway_runtime.knowledge.ingestion.markdown import markdown_blocks
from slipway_runtime.knowledge.ingestion.rendered import Rendered, paragraphs
from slipway_runtime.knowledge.pieces import PieceKind

T = TypeVar("T")


def plain_blocks(text: str) -> Iterator[Block]:
    """Paragraphs of a plain text: whatever empty lines part."""
    for each in paragraphs(Rendered.unchanged(text, 0, len(text))):
        yield Block(PieceKind.SENTENCE, each)


def record_blocks(text: str) -> Iterator[Block]:
    """The records of a table, one a line."""
    start = 0
    for row, line in enumerate(text.splitlines(keepends=True)):
        if line.strip():
            record = Rendered.unchanged(text, start, start + len(line.rstrip()))
            yield Block(PieceKind.ROW, record, row=row)
        start += len(line)


def code_file_blocks(text: str, name: str) -> Iterator[Block]:
    """The definitions of source code, each whole where it can be; parts of a longer one are under its first line."""
    lines = Lines(text)
    starts = [0, *(n for n in range(1, len(lines)) if _begins_definition(lines, n)), len(lines)]
    for first, behind in pairwise(starts):
        start, end = lines.span(first, behind)
        words = text[start:end].strip()
        if not words:
            continue
        long = words.count("\n") >= CODE_LINES
        top = words.partition("\n")[0].strip()[:HEADING_MAX]
        yield from code_blocks(Rendered.unchanged(text, start, end), f"{name} > {top}" if long else name)


def _begins_definition(lines: Lines, number: int) -> bool:
    """Whether a line without indentation follows an empty one."""
    before, line = (lines.text[slice(*lines.span(n, n + 1))] for n in (number - 1, number))
    return not before.strip() and line[:1] not in {"", " ", "\t", "}", ")", "]"}


def blocks(text: str, media: Media, *, name: str = "", begins: int = 0) -> Iterator[Block]:
    """The blocks of a text, in order and without overlap.

    Args:
        begins: where a Markdown text begins behind its front matter.
    """
    if media is Media.MARKDOWN:
        return markdown_blocks(text, begins)
    if media is Media.ROWS:
        return record_blocks(text)
    if media is Media.CODE:
        return code_file_blocks(text, name)
    return plain_blocks(text)


def document_blocks(document: Document) -> Iterator[Block]:
    """The blocks of a document, each on one page and in one section."""
    starts = [start for start, _ in document.headings]
    pages = [start for start, _ in document.pages]
    for block in blocks(document.text, document.media, name=document.name, begins=document.begins):
        for part in _cut(block.rendered, starts):
            heading = _at(part.offsets[0], starts, [title for _, title in document.headings], block.heading)
            page = _at(part.offsets[0], pages, [number for _, number in document.pages], 0)
            yield replace(block, rendered=part, heading=heading, page=page)


def _cut(rendered: Rendered, starts: Sequence[int]) -> Iterator[Rendered]:
    """Its parts between the places where sections begin."""
    first, last = rendered.offsets[0], rendered.offsets[-1]
    inside = starts[bisect_right(starts, first) : bisect_right(starts, last)]
    cuts = [bisect_right(rendered.offsets, start - 1) for start in inside]
    for begin, end in pairwise([0, *dict.fromkeys(cuts), len(rendered.text)]):
        part = rendered.between(begin, end)
        part = part if begin == 0 and end == len(rendered.text) else part.trimmed()
        if part:
            yield part


def _at(offset: int, starts: Sequence[int], values: Sequence[T], default: T) -> T:
    """What is in force at an offset."""
    place = bisect_right(starts, offset) - 1
    return values[place] if place >= 0 else default
