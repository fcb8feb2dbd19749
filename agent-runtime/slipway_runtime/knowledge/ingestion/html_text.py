"""The words of HTML within Markdown: what a browser shows, in paragraphs, code and rows of tables."""

import re
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser

from slipway_runtime.knowledge.ingestion.rendered import Rendered, Rendering
from slipway_runtime.knowledge.pieces import PieceKind

UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "iframe"})
"""Elements whose content a reader does not see."""
INLINE_NAMES = """
a abbr b bdi bdo cite code data del dfn em font i img input ins kbd label mark q s samp small span strike strong sub sup
time tt u var wbr
"""
INLINE = frozenset(INLINE_NAMES.split())
"""Elements that part no words. All others begin a new paragraph."""
HEADING = re.compile(r"h[1-6]")


@dataclass(frozen=True)
class HtmlPart:
    """A paragraph, some code, a row of a table, or a heading."""

    kind: PieceKind
    rendered: Rendered
    level: int = 0
    """Of a heading; 0 for everything else."""
    table: int = 0
    """Which table of the text a row is in, from 1."""


class _Reader(HTMLParser):
    def __init__(self, written: Rendered) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[HtmlPart] = []
        self._written = written
        self._lines = [0, *(match.end() for match in re.finditer("\n", written.text))]
        self._unseen = 0
        self._code = 0
        self._tables = 0
        self._in_row = False
        self._level = 0
        self._begin()

    def _begin(self) -> None:
        self._rendering = Rendering(self._written.text, self._written.offsets)

    def flush(self) -> None:
        """End the part that is being read."""
        kind = PieceKind.ROW if self._in_row else PieceKind.CODE if self._code else PieceKind.SENTENCE
        rendered = self._rendering.rendered()
        rendered = rendered if kind is PieceKind.CODE else rendered.trimmed()
        if rendered.text.strip(" |\n\t"):
            level = 0 if kind is PieceKind.ROW else self._level
            self.parts.append(HtmlPart(kind, rendered, level, self._tables if self._in_row else 0))
        self._begin()

    def _here(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self._space()
        elif tag in {"td", "th"} and self._in_row:
            if self._rendering.has_words:
                self._rendering.replaced("", " | ")
        elif tag == "img":
            self._show(dict(attrs).get("alt") or "", "")
        elif tag not in INLINE and not self._in_row:
            self.flush()
            self._level = int(tag[1]) if HEADING.fullmatch(tag) else 0
            self._tables += tag == "table"
            self._in_row = tag == "tr"
            self._code += tag == "pre"
        elif tag not in INLINE:
            self._space()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif self._in_row and tag in {"tr", "table", "thead", "tbody", "tfoot"}:
            self.flush()
            self._in_row = False
        elif tag == "pre":
            self.flush()
            self._code = max(0, self._code - 1)
        elif tag not in INLINE and not self._in_row:
            self.flush()
            self._level = 0

    def handle_data(self, data: str) -> None:
        self._show(data, data)

    def handle_entityref(self, name: str) -> None:
        self._entity(f"&{name}")

    def handle_charref(self, name: str) -> None:
        self._entity(f"&#{name}")

    def parse_marked_section(self, i: int, report: bool = True) -> int:  # as HTMLParser has it
        """See `HTMLParser`, which raises where `<![` begins nothing."""
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            self.handle_data("<![")
            return i + 3

    def unknown_decl(self, data: str) -> None:
        self._show(data.removeprefix("CDATA["), "")

    def _entity(self, written: str) -> None:
        at = self._here()
        closed = self._written.text[at + len(written) : at + len(written) + 1] == ";"
        written += ";" if closed else ""
        self._show(unescape(written), written)

    def _space(self) -> None:
        self._show(" ", "")

    def _show(self, shown: str, written: str) -> None:
        """Show a text, for what is written here."""
        if self._unseen:
            return
        self._rendering.at = max(self._rendering.at, self._here())
        if shown == written:
            self._rendering.literal(shown)
        else:
            self._rendering.replaced(written, shown)


def html_parts(written: Rendered) -> list[HtmlPart]:
    """What a browser shows of a piece of HTML, in order. Comments, scripts and styles are left out.

    Tags need not match: a piece of Markdown's HTML ends at an empty line.
    """
    reader = _Reader(written)
    reader.feed(written.text)
    reader.close()
    reader.flush()
    return reader.parts
