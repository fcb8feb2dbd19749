"""What a terminal gets to see of texts that strangers wrote.

Answers, documents and manifests may hold escape sequences, which retitle a window, rewrite what was printed above, or
put something on the clipboard, and characters that turn the order of what follows. None of them reach the terminal.
"""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_KEPT = "\n\t"
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
"""C0, DEL and C1; C1 has one-character forms of the sequences that begin with ESC."""
_BIDI = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
"""Marks, embeddings, overrides and isolates of text direction."""
_SEPARATORS = [0x2028, 0x2029]
"""Line and paragraph separator, which would begin a line that looks like one of ours."""
_STRIPPED = dict.fromkeys(code for code in (*_CONTROLS, *_BIDI, *_SEPARATORS) if chr(code) not in _KEPT)


def printable(text: str) -> str:
    """The text without control characters other than line feed and tab, and without marks of text direction."""
    return text.translate(_STRIPPED)


class Terminal(Console):
    """A console that prints what is `printable`, whatever it is given: texts, tables, progress and log records."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"highlight": False, "soft_wrap": True, **settings})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich's own. Segments marked as control are rich's, such as those that redraw a progress bar."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
