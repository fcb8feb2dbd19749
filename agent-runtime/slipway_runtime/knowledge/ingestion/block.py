"""A piece of a document's structure: a paragraph, some code, a row of a table; as it reads, and where it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from slipway_runtime.knowledge.ingestion.rendered import Rendered
from slipway_runtime.knowledge.pieces import PieceKind, collapsed

HEADING_MAX = 120
"""Characters of one heading that are kept."""
CODE_LINES = 12
"""Lines of code that are kept together; longer code is cut, so that what is quoted stays readable."""


@dataclass(frozen=True)
class Block:
    """A piece of a document, with at least one character."""

    kind: PieceKind
    rendered: Rendered
    heading: str = ""
    """The headings above it, joined with ` > `."""
    unit: tuple[int, int] = (0, 0)
    """The table or the code that it is a part of, which is kept whole where it can be; empty for a paragraph."""
    header: str = ""
    """What a part of it has to have before it to be understood: a table's first row."""
    shown: str = ""
    """How it is shown, if that says more than its words: a row with the names of its columns."""
    page: int = 0
    """Number of its page or slide; 0 in a document without."""
    row: int = -1
    """Number of its record, in a table of records."""
    title: str = ""
    """What of it is in the path of those below it, if it is a heading."""

    @property
    def start(self) -> int:
        """Where it begins in the document, in characters."""
        return self.rendered.offsets[0]

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.rendered.offsets[-1] + 1


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
        return self.starts[first], max(self.starts[first], self.starts[behind] - 1)


def code_blocks(code: Rendered, heading: str) -> Iterator[Block]:
    """Lines of code, a handful at a time."""
    unit = code.place(0, len(code.text)) if code else (0, 0)
    lines = Lines(code.text)
    for line in range(0, len(lines), CODE_LINES):
        start, end = lines.span(line, line + CODE_LINES)
        part = code.between(start, start + len(code.text[start:end].rstrip()))
        if part:
            yield Block(PieceKind.CODE, part, heading, unit)


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


def heading_block(rendered: Rendered, level: int, headings: Headings) -> Iterator[Block]:
    """A heading, which everything behind it is under until the next one."""
    title = collapsed(rendered.text)[:HEADING_MAX]
    headings.enter(level, title)
    if rendered:
        yield Block(PieceKind.SENTENCE, rendered, str(headings), title=title)
