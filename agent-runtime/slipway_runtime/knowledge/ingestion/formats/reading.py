"""A file to its text, by its format. Formats that take much to read are read in a process of their own."""

from collections.abc import Callable, Mapping
from importlib import import_module

from slipway_crds.contract import DOCUMENT_BYTES
from slipway_runtime.knowledge.ingestion.formats.choosing import FileFormat
from slipway_runtime.knowledge.ingestion.formats.parsed import Media, Parsed, Unreadable
from slipway_runtime.knowledge.ingestion.formats.plain import decode, is_markdown
from slipway_runtime.knowledge.ingestion.formats.tables import read_csv

TEXTS: Mapping[FileFormat, Callable[[str], Parsed]] = {
    FileFormat.MARKDOWN: lambda text: Parsed(text=text, media=Media.MARKDOWN),
    FileFormat.TEXT: lambda text: Parsed(text=text, media=Media.MARKDOWN if is_markdown(text) else Media.PLAIN),
    FileFormat.CODE: lambda text: Parsed(text=text, media=Media.CODE),
    FileFormat.CSV: read_csv,
}
ISOLATED = {
    FileFormat.HTML: ("markup", "read_html"),
    FileFormat.PDF: ("pdf", "read_pdf"),
    FileFormat.WORD: ("office", "read_word"),
    FileFormat.SLIDES: ("office", "read_slides"),
}
"""Module and function. They are imported where they are used, which is the other process."""


def check_size(content: bytes) -> None:
    """Refuse a file that is too large.

    Raises:
        Unreadable: if it is.
    """
    if len(content) > DOCUMENT_BYTES:
        raise Unreadable(f"larger than {DOCUMENT_BYTES // 1024**2} MiB ({len(content):,} bytes); split it")


def parse(kind: FileFormat, content: bytes) -> Parsed:
    """The text of a file.

    Raises:
        Unreadable: if it is not of that format, or too large.
    """
    check_size(content)
    if kind in TEXTS:
        return TEXTS[kind](decode(content))
    module, function = ISOLATED[kind]
    read: Callable[[bytes], Parsed] = getattr(import_module(f"{__package__}.{module}"), function)
    return read(content)
