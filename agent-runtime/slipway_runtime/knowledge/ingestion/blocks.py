"""The structure of a document: paragraphs, code and table rows, each with its offsets and the headings above it.

Markdown is read by markdown-it, which knows the line range of every block; offsets come from the lines, so what a block
covers is exactly what is in the text, markup included.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from slipway_runtime.knowledge.ingestion.documents import FRONT_MATTER
from slipway_runtime.knowledge.pieces import PieceKind

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
    for line in range(first, behind, CODE_LINES):
        start, end = lines.span(line, min(line + CODE_LINES, behind))
        if lines.text[start:end].strip():
            yield Block(PieceKind.CODE, start, max(start, start + len(lines.text[start:end].rstrip())), heading)


def table_rows(lines: Lines, first: int, behind: int, heading: str) -> Iterator[Block]:
    """The rows of a table, without the rule below its head."""
    for line in range(first, behind):
        start, end = trimmed(lines.text, *lines.span(line, line + 1))
        if start < end and not TABLE_RULE.match(lines.text[start:end]):
            yield Block(PieceKind.ROW, start, end, heading)


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
    if token.type in {"thead_open", "tbody_open"}:
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


def blocks(text: str, *, markdown: bool) -> Iterator[Block]:
    """The blocks of a document, in order and without overlap."""
    return markdown_blocks(text) if markdown else plain_blocks(text)
