"""From the bytes of a source to a document: text, title, hash; or the reason why it is none.

What is kept is what citations point into, so the text is changed as little as the store demands: a byte order mark and
NUL characters go (Postgres cannot hold NUL in text), line ends become `\\n`. Nothing else.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)", re.DOTALL)
FRONT_MATTER_MAX = 16_384
"""Characters of front matter that are read for metadata."""
TITLE_IN_FRONT_MATTER = re.compile(r"^title:[ \t]*(['\"]?)(.+?)\1[ \t]*$", re.MULTILINE)
FIRST_HEADING = re.compile(r"^#[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
TITLE_MAX = 200
NUL_SHARE = 0.1
"""A file with more NUL characters than this is not text, though it may be valid UTF-8 (UTF-16 mostly is)."""
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
CONTROL_SHARE = 0.02


class NotText(ValueError):
    """The bytes are no text; the message says what was found and what to do."""


@dataclass(frozen=True)
class Document:
    """One text of a source."""

    source: str
    name: str
    title: str
    text: str
    hash: str
    """SHA-256 of the text: what distinguishes a changed document from one that may be skipped."""
    metadata: Mapping[str, object] = field(default_factory=dict)
    """What the document says about itself: its front matter."""


@dataclass(frozen=True)
class Failure:
    """A document that could not be ingested."""

    source: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}/{self.name}: {self.reason}"


def decode(content: bytes) -> str:
    """The text of a file.

    Raises:
        NotText: if it is not UTF-8, or holds so many control characters that it cannot be text.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotText(f"not UTF-8 text (byte {error.start}); convert it, or remove it from the source") from error
    nuls = text.count("\0")
    if text and nuls > NUL_SHARE * len(text):
        raise NotText("binary data, not text (mostly NUL bytes); remove it from the source")
    if len(CONTROL.findall(text)) - nuls > CONTROL_SHARE * len(text):
        raise NotText("binary data, not text (control characters); remove it from the source")
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def title_of(text: str, name: str) -> str:
    """A document's title: from its front matter, else its first heading, else its name."""
    front = FRONT_MATTER.match(text)
    found = TITLE_IN_FRONT_MATTER.search(front[0]) if front else None
    if found:
        return found[2][:TITLE_MAX]
    heading = FIRST_HEADING.search(text)
    return heading[1][:TITLE_MAX] if heading else name


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases: a few hundred bytes of them expand to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read in front matter")
        return super().compose_node(parent, index)


def metadata_of(text: str) -> dict[str, object]:
    """The mapping that a document's front matter holds; empty if there is none, or none that can be read."""
    front = FRONT_MATTER.match(text)
    if front is None or not front[1] or len(front[1]) > FRONT_MATTER_MAX:
        return {}
    try:
        found = yaml.load(front[1], Loader=_PlainLoader)  # a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def make_document(*, source: str, name: str, content: bytes) -> Document:
    """A document from the bytes of its file.

    Raises:
        NotText: if they are no text.
    """
    text = decode(content)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Document(
        source=source, name=name, title=title_of(text, name), text=text, hash=digest, metadata=metadata_of(text)
    )


def is_markdown(name: str) -> bool:
    """Whether a document is read as Markdown; anything else is plain text."""
    return name.lower().endswith((".md", ".markdown", ".mdx"))
