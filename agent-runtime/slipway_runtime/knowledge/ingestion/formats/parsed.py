"""What a file holds once it is read: a text, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from slipway_runtime.knowledge.vectors.filters import Scalar

TEXT_MAX = 20_000_000
"""Characters of one document."""


class Unreadable(ValueError):
    """A file that is no document; the message says what was found and what to do."""


class Media(StrEnum):
    """What a document's text is, which decides how it is cut. Markdown from a PDF's name is Markdown."""

    MARKDOWN = "text/markdown"
    PLAIN = "text/plain"
    ROWS = "text/csv"
    """A record a line, each with the names of its columns."""
    CODE = "text/x-code"


@dataclass(frozen=True)
class Parsed:
    """A file's text. Offsets are characters of it."""

    text: str
    media: Media
    title: str = ""
    """What the file calls itself; empty if it does not."""
    metadata: Mapping[str, object] = field(default_factory=dict)
    pages: tuple[tuple[int, int], ...] = ()
    """Where each page or slide begins, with its number; empty for a file without pages."""
    headings: tuple[tuple[int, str], ...] = ()
    """Where each section of a text without markup begins, with its path of headings."""
    rows: tuple[Mapping[str, Scalar], ...] = ()
    """What the columns of each line of `Media.ROWS` say."""


def cleaned(text: str) -> str:
    """The text as the store can hold it: no NUL, no half of a surrogate pair, lines end in a newline."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
