"""The structure of a document: paragraphs, code and table rows, each with its offsets, page and headings.

Markdown is read by markdown-it, which knows the line range of every block; offsets come from the lines, so what a block
covers is exactly what is in the text, markup included.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from markdown_it import MarkdownIt
from markdown_it.token import Token

from slipway_runtime.knowledge.ingestion.documents import FRONT_MATTER, Document
from slipway_runtime.knowledge.ingestion.formats.parsed import Media
from slipway_runtime.knowledge.pieces import PieceKind, readable

T = TypeVar("T")
MARKER = re.compile(r"(?:[ \t]*(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t])|\[[ xX]\](?=[ \t])))*[ \t]*")
"""What stands before the words of a line in lists and quotations."""
TABLE_RULE = re.compile(r"^[ \t>]*\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
PARAGRAPH = re.compile(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")
HEADING_MAX = 120
"""Characters of one heading that are kept."""
CODE_LINES = 12
"""Lines of code that are kept together; longer code is cut, so that what is quoted stays readable."""


@dataclass(frozen=True)
class Block:
    """A piece of a document's text: `text[start:end]`."""

    kind: PieceKind
    start: int
    end: int
    heading: str
    """The headings above it, joined with ` > `."""
    unit: tuple[int, int] = (0, 0)
    """The table or the code that it is a part of, which is kept whole where it can be; empty for a paragraph."""
    header: str = ""
    """What a part of it has to have before it to be understood: a table's first row."""
    page: int = 0
    """Number of its page or slide; 0 in a document without."""
    row: int = -1
    """Number of its record, in a table of records."""


class Lines:
    """Offsets of the lines of a text."""

    def __init__(self, text: str, *, base: int = 0) -> None:
        self.text = text
        self.starts = [base]
        self.starts.extend(match.end() for match in re.compile("\n").finditer(text, base))
        self.starts.append(len(text) + 1)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def span(self, first: int, behind: int) -> tuple[int, int]:
        """Start of line `first` and end of the line before `behind`, without its line end."""
        behind = min(behind, len(self))
        return self.starts[first], self.starts[behind] - 1


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the whitespace at its ends; empty if there is nothing else."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), max(start, start + len(piece.rstrip()))


def plain_blocks(text: str) -> Iterator[Block]:
    """Paragraphs of a plain text: whatever empty lines part."""
    for match in PARAGRAPH.finditer(text):
        start, end = trimmed(text, *match.span())
        yield Block(PieceKind.SENTENCE, start, end, "")


def code_blocks(lines: Lines, first: int, behind: int, heading: str) -> Iterator[Block]:
    """The lines of code from `first` on, a handful at a time."""
    unit = lines.span(first, behind) if first < behind else (0, 0)
    for line in range(first, behind, CODE_LINES):
        start, end = lines.span(line, min(line + CODE_LINES, behind))
        if lines.text[start:end].strip():
            end = max(start, start + len(lines.text[start:end].rstrip()))
            yield Block(PieceKind.CODE, start, end, heading, unit)


def table_rows(lines: Lines, first: int, behind: int, heading: str) -> Iterator[Block]:
    """The rows of a table, without the rule below its head."""
    unit = trimmed(lines.text, *lines.span(first, behind))
    header = readable(lines.text[slice(*lines.span(first, first + 1))], PieceKind.ROW)
    for line in range(first, behind):
        start, end = trimmed(lines.text, *lines.span(line, line + 1))
        if start < end and not TABLE_RULE.match(lines.text[start:end]):
            yield Block(PieceKind.ROW, start, end, heading, unit, header)


def paragraph(lines: Lines, first: int, behind: int, heading: str) -> Iterator[Block]:
    """A paragraph, from its first word on: bullets and quotation marks before it are not part of it."""
    start, end = lines.span(first, behind)
    marker = MARKER.match(lines.text, start, end)
    start, end = trimmed(lines.text, marker.end() if marker else start, end)
    if start < end:
        yield Block(PieceKind.SENTENCE, start, end, heading)


class Headings:
    """The path of headings that a reader of the document is under."""

    def __init__(self) -> None:
        self._path: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> None:
        """A heading was met: it replaces those of its level and below."""
        self._path = [(depth, name) for depth, name in self._path if depth < level]
        if title:
            self._path.append((level, title))

    def __str__(self) -> str:
        return " > ".join(name for _, name in self._path)


def inline_text(token: Token) -> str:
    """The words of a heading, without markup."""
    words = (child.content for child in token.children or [] if child.type in {"text", "code_inline"})
    return re.sub(r"\s+", " ", "".join(words)).strip()[:HEADING_MAX]


def token_blocks(token: Token, lines: Lines, heading: str) -> Iterable[Block]:
    """The blocks that one token of markdown-it opens; none for tokens that only group others."""
    if token.map is None:
        return ()
    first, behind = token.map
    if token.type == "fence":
        last = lines.text[slice(*lines.span(behind - 1, behind))].strip(" \t>")
        closed = behind - first > 1 and last.startswith(token.markup)
        return code_blocks(lines, first + 1, behind - closed, heading)
    if token.type == "code_block":
        return code_blocks(lines, first, behind, heading)
    if token.type == "table_open":
        return table_rows(lines, first, behind, heading)
    if token.type in {"paragraph_open", "html_block"}:
        if token.type == "html_block" and token.content.lstrip().startswith("<!--"):
            return ()
        return paragraph(lines, first, behind, heading)
    return ()


def markdown_blocks(text: str) -> Iterator[Block]:
    """The blocks of a Markdown text, in order. Front matter, comments and the headings themselves are none."""
    front = FRONT_MATTER.match(text)
    lines = Lines(text, base=front.end() if front else 0)
    tokens = MarkdownIt("commonmark").enable("table").parse(text[lines.starts[0] :])
    headings = Headings()
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            headings.enter(int(token.tag[1:]), inline_text(tokens[number + 1]))
        else:
            yield from token_blocks(token, lines, str(headings))


def record_blocks(text: str) -> Iterator[Block]:
    """The records of a table, one a line."""
    start = 0
    for row, line in enumerate(text.splitlines(keepends=True)):
        if line.strip():
            yield Block(PieceKind.ROW, start, start + len(line.rstrip()), "", row=row)
        start += len(line)


def code_file_blocks(text: str, name: str) -> Iterator[Block]:
    """The definitions of source code, each whole where it can be; parts of a longer one are under its first line."""
    lines = Lines(text)
    starts = [0, *(n for n in range(1, len(lines)) if _begins_definition(lines, n)), len(lines)]
    for first, behind in pairwise(starts):
        words = text[slice(*lines.span(first, behind))].strip()
        if not words:
            continue
        long = words.count("\n") >= CODE_LINES
        top = words.partition("\n")[0].strip()[:HEADING_MAX]
        yield from code_blocks(lines, first, behind, f"{name} > {top}" if long else name)


def _begins_definition(lines: Lines, number: int) -> bool:
    """Whether a line without indentation follows an empty one."""
    before, line = (lines.text[slice(*lines.span(n, n + 1))] for n in (number - 1, number))
    return not before.strip() and line[:1] not in {"", " ", "\t", "}", ")", "]"}


def blocks(text: str, media: Media, *, name: str = "") -> Iterator[Block]:
    """The blocks of a text, in order and without overlap."""
    if media is Media.MARKDOWN:
        return markdown_blocks(text)
    if media is Media.ROWS:
        return record_blocks(text)
    if media is Media.CODE:
        return code_file_blocks(text, name)
    return plain_blocks(text)


def document_blocks(document: Document) -> Iterator[Block]:
    """The blocks of a document, each on one page and in one section."""
    starts = [start for start, _ in document.headings]
    pages = [start for start, _ in document.pages]
    for block in blocks(document.text, document.media, name=document.name):
        for start, end in _cut(block, starts):
            begin, stop = trimmed(document.text, start, end)
            if begin < stop:
                heading = _at(begin, starts, [title for _, title in document.headings], block.heading)
                page = _at(begin, pages, [number for _, number in document.pages], 0)
                yield replace(
                    block, start=begin if start > block.start else start, end=stop, heading=heading, page=page
                )


def _cut(block: Block, starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The spans of a block between the places where sections begin."""
    inside = starts[bisect_right(starts, block.start) : bisect_right(starts, block.end - 1)]
    return pairwise([block.start, *dict.fromkeys(inside), block.end])


def _at(offset: int, starts: Sequence[int], values: Sequence[T], default: T) -> T:
    """What is in force at an offset."""
    place = bisect_right(starts, offset) - 1
    return values[place] if place >= 0 else default
