"""Markdown to blocks, through the parser's tree.

markdown-it knows the lines of every block, and gives the content of each without what quotations and lists put before
its lines. Each of those lines is found in its line of the document, so every character that is shown has its place.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

from slipway_runtime.knowledge.ingestion.block import Block, Headings, Lines, code_blocks, heading_block
from slipway_runtime.knowledge.ingestion.html_text import html_parts
from slipway_runtime.knowledge.ingestion.inline import render_inline
from slipway_runtime.knowledge.ingestion.rendered import Rendered, joined
from slipway_runtime.knowledge.pieces import PieceKind

NESTING_MAX = 60
"""Quotations and lists inside each other that are read as such; what is deeper is read as plain text."""
GAP = " | "
"""Between two cells of a row."""


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": NESTING_MAX}).enable(["table", "strikethrough"])
    parser.use(footnote_plugin).disable(["text_join", "footnote_tail", "footnote_inline"])
    return parser


def markdown_blocks(text: str, begins: int = 0) -> Iterator[Block]:
    """The blocks of a Markdown text, headings included, in order.

    What a reader of the page does not see is in none: comments, scripts, addresses of links. Every other word is.

    Args:
        begins: where the text begins behind its front matter.
    """
    environment: dict[str, Any] = {}
    tokens = _parser().parse(text[begins:], environment)
    yield from _Reader(text, begins, tokens, environment).blocks()


class _Reader:
    def __init__(self, text: str, begins: int, tokens: Sequence[Token], environment: Mapping[str, Any]) -> None:
        self._lines = Lines(text, base=begins)
        self._tokens = tokens
        self._headings = Headings()
        self._read = bytearray(len(self._lines))
        """Which lines are in a block, or need not be."""
        references = [*environment.get("references", {}).values(), *environment.get("duplicate_refs", [])]
        for each in references:
            self._leave(*each["map"])

    def blocks(self) -> Iterator[Block]:
        at = 0
        done = 0
        while at < len(self._tokens):
            token = self._tokens[at]
            if token.map is not None and token.type in LEAVES:
                yield from self._left_over(done, token.map[0])
                done = max(done, token.map[1])
                self._leave(*token.map)
            if token.type == "table_open":
                end = next(n for n in range(at, len(self._tokens)) if self._tokens[n].type == "table_close")
                yield from self._table(self._tokens[at:end])
                at = end
            else:
                yield from self._leaf(token, at)
            at += 1
        yield from self._left_over(done, len(self._lines))

    def _leaf(self, token: Token, at: int) -> Iterator[Block]:
        """The blocks of one token; none of those that only group others."""
        heading = str(self._headings)
        if token.type == "inline":
            rendered = render_inline(token.children or [], self._written(token))
            opening = self._tokens[at - 1]
            if opening.type == "heading_open":
                yield from heading_block(rendered, int(opening.tag[1:]), self._headings)
            elif rendered:
                yield Block(PieceKind.SENTENCE, rendered, heading)
        elif token.type in {"fence", "code_block"}:
            yield from code_blocks(self._written(token, below=token.type == "fence"), heading)
        elif token.type == "html_block":
            yield from self._html(self._written(token))

    def _html(self, written: Rendered) -> Iterator[Block]:
        for (kind, table), parts in groupby(html_parts(written), key=lambda part: (part.kind, part.table)):
            if kind is PieceKind.ROW and table:
                yield from table_blocks([cells_of(part.rendered) for part in parts], str(self._headings))
                continue
            for part in parts:
                if part.level:
                    yield from heading_block(part.rendered, part.level, self._headings)
                elif kind is PieceKind.CODE:
                    yield from code_blocks(part.rendered, str(self._headings))
                else:
                    yield Block(PieceKind.SENTENCE, part.rendered, str(self._headings))

    def _table(self, tokens: Sequence[Token]) -> Iterator[Block]:
        """The rows of a table. Cells for which it has no column are cells all the same."""
        rows: list[list[Rendered]] = []
        at = end = 0
        for token in tokens:
            if token.type == "tr_open" and token.map is not None:
                at, end = self._lines.span(*token.map)
                rows.append([])
            elif token.type == "inline":
                written, at = self._cell(token, at, end)
                rows[-1].append(render_inline(token.children or [], written))
            elif token.type == "tr_close":
                rest = Rendered.unchanged(self._lines.text, min(at, end), end).stripped(" \t|`")
                rows[-1].extend([rest] if rest else [])
        return table_blocks(rows, str(self._headings))

    def _cell(self, token: Token, at: int, row_end: int) -> tuple[Rendered, int]:
        """The content of a cell as it is written, and where it ends. A pipe in it has a backslash before it."""
        text = self._lines.text
        for escaped in (False, True):
            written = token.content.replace("|", "\\|") if escaped else token.content
            found = text.find(written, at, row_end)
            if written and found >= 0:
                places = [
                    found + n
                    for n, each in enumerate(written)
                    if not (escaped and each == "\\" and written[n + 1 : n + 2] == "|")
                ]
                return Rendered(token.content, places), found + len(written)
        return Rendered(token.content, [at] * len(token.content)), at

    def _written(self, token: Token, *, below: bool = False) -> Rendered:
        """The content of a token, with the place of each of its characters.

        Args:
            below: whether it begins in the line below the token's first one.
        """
        assert token.map is not None
        text, line = self._lines.text, token.map[0] + below
        places: list[int] = []
        content = token.content.removesuffix("\n")
        for part in content.split("\n"):
            start, end = self._lines.span(min(line, len(self._lines) - 1), line + 1)
            found = text.find(part, start, end)
            place = found if found >= 0 else start
            places.extend(range(place, place + len(part)) if found >= 0 else [place] * len(part))
            places.append(min(place + len(part), max(len(text) - 1, 0)))
            line += 1
        return Rendered(content, places[:-1])

    def _leave(self, first: int, behind: int) -> None:
        for line in range(first, min(behind, len(self._read))):
            self._read[line] = 1

    def _left_over(self, first: int, behind: int) -> Iterator[Block]:
        """Lines that no token has, such as those of quotations that are too deep, as plain text."""
        for line in range(first, min(behind, len(self._read))):
            if not self._read[line]:
                self._read[line] = 1
                rest = Rendered.unchanged(self._lines.text, *self._lines.span(line, line + 1)).trimmed()
                if any(map(str.isalnum, rest.text)):
                    yield Block(PieceKind.SENTENCE, rest, str(self._headings))


def table_blocks(rows: Sequence[Sequence[Rendered]], heading: str) -> Iterator[Block]:
    """The rows of a table, each with what its columns are called. The first one says so."""
    whole = [row for row in (joined(cells, GAP) for cells in rows) if row.text.strip(GAP)]
    unit = (whole[0].offsets[0], whole[-1].offsets[-1] + 1) if whole else (0, 0)
    labels: list[str] = []
    for cells in rows:
        row, words = joined(cells, GAP), [cell.text for cell in cells]
        if row.text.strip(GAP):
            shown = labelled(labels, words) if labels else ""
            yield Block(PieceKind.ROW, row, heading, unit, GAP.join(labels or words), shown)
        labels = labels or words


def cells_of(row: Rendered) -> list[Rendered]:
    """The cells of a row that is one text."""
    cells: list[Rendered] = []
    at = 0
    for cell in row.text.split(GAP):
        cells.append(row.between(at, at + len(cell)))
        at += len(cell) + len(GAP)
    return cells


LEAVES = frozenset({"inline", "fence", "code_block", "html_block", "table_open", "hr", "heading_open"})
"""Tokens that have all the words of their lines."""


def labelled(labels: Sequence[str], cells: Sequence[str]) -> str:
    """A row with the names of its columns; cells without words are left out."""
    names = [*labels, *[""] * len(cells)]
    return GAP.join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=False) if cell)
