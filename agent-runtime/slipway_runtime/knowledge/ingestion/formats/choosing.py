"""Which format a file has: by its content type, then by its name; by its first bytes where they leave no doubt."""

from enum import StrEnum
from pathlib import PurePosixPath

from slipway_runtime.knowledge.ingestion.formats.parsed import Unreadable


class FileFormat(StrEnum):
    """The formats that are read."""

    MARKDOWN = "Markdown"
    TEXT = "text"
    CODE = "source code"
    CSV = "CSV"
    HTML = "HTML"
    PDF = "PDF"
    WORD = "DOCX"
    SLIDES = "PPTX"


OFFICE = "application/vnd.openxmlformats-officedocument"
BY_TYPE = {
    "text/markdown": FileFormat.MARKDOWN,
    "text/x-markdown": FileFormat.MARKDOWN,
    "text/csv": FileFormat.CSV,
    "text/tab-separated-values": FileFormat.CSV,
    "text/html": FileFormat.HTML,
    "application/xhtml+xml": FileFormat.HTML,
    "application/pdf": FileFormat.PDF,
    f"{OFFICE}.wordprocessingml.document": FileFormat.WORD,
    f"{OFFICE}.presentationml.presentation": FileFormat.SLIDES,
}
"""`text/plain` and `application/octet-stream` are what servers say of everything, so they leave it to the name."""
BY_SUFFIX = {
    **dict.fromkeys((".md", ".markdown", ".mdx"), FileFormat.MARKDOWN),
    **dict.fromkeys((".html", ".htm", ".xhtml"), FileFormat.HTML),
    **dict.fromkeys((".csv", ".tsv"), FileFormat.CSV),
    ".pdf": FileFormat.PDF,
    ".docx": FileFormat.WORD,
    ".pptx": FileFormat.SLIDES,
}
CODE = """
bash c cc cpp cs css cxx dart ex exs go gradle groovy h hcl hpp hs java jl js json jsx kt kts lua m mjs ml php pl proto
ps1 py pyi r rb rs scala scss sh sql swift tf toml ts tsx vue xml yaml yml zig
"""
CODE_SUFFIXES = frozenset(f".{suffix}" for suffix in CODE.split())
ARCHIVE, OLD_OFFICE, PDF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF-"
"""What files of these kinds begin with."""


def by_name(name: str) -> FileFormat:
    """The format that a file's name stands for; text if it says nothing."""
    suffix = PurePosixPath(name.lower()).suffix
    return FileFormat.CODE if suffix in CODE_SUFFIXES else BY_SUFFIX.get(suffix, FileFormat.TEXT)


def format_of(*, name: str, content_type: str, content: bytes) -> FileFormat:
    """The format of a file.

    Args:
        content_type: what its source says it is, parameters included; empty if it says nothing.

    Raises:
        Unreadable: if it is a kind of file that is not read, or not what its name says.
    """
    found = BY_TYPE.get(content_type.partition(";")[0].strip().lower()) or by_name(name)
    if content.startswith(OLD_OFFICE):
        raise Unreadable(
            "an Office file that is encrypted or of an old format; remove the password, or save it as DOCX or PPTX"
        )
    if content[:1024].lstrip().startswith(PDF):
        return FileFormat.PDF
    archive = content.startswith(ARCHIVE)
    if archive and found not in {FileFormat.WORD, FileFormat.SLIDES}:
        raise Unreadable("an archive, not a document; put the files that it holds into the source")
    if not archive and found in {FileFormat.WORD, FileFormat.SLIDES, FileFormat.PDF}:
        raise Unreadable(f"named like a {found} but not one; check how it was written, or rename it")
    return found
