"""Text from bytes that should be UTF-8."""

import re

from slipway_runtime.knowledge.ingestion.formats.parsed import Unreadable

NUL_SHARE = 0.1
"""A file with more NUL characters than this is not text, though it may be valid UTF-8 (UTF-16 mostly is)."""
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
CONTROL_SHARE = 0.02

SIGNS = (
    re.compile(r"^#{1,6} \S", re.MULTILINE),
    re.compile(r"\[[^\]\n]+\]\([^)\s]+\)"),
    re.compile(r"^[-*+] \S", re.MULTILINE),
    re.compile(r"\*\*\S[^*\n]*\*\*|__\S[^_\n]*__(?!\w)"),
    re.compile(r"(?<!`)`[^`\n]+`(?!`)"),
)
"""What Markdown has, and plain text may have by chance: two of them are enough."""
PROOFS = (
    re.compile(r"^(```|~~~)[^`\n]*\n.*?^\1", re.MULTILINE | re.DOTALL),
    re.compile(r"^\|?[ \t]*:?-{2,}:?[ \t]*(\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t]*$", re.MULTILINE),
    re.compile(r"\A---\n[\w-]+:.*?\n---\n", re.DOTALL),
)
"""What nothing else has."""
LOOKED_AT = 50_000
"""Characters of a text that are looked at for them."""


def is_markdown(text: str) -> bool:
    """Whether a text whose name does not say so is Markdown."""
    beginning = text[:LOOKED_AT]
    if any(each.search(beginning) for each in PROOFS):
        return True
    return sum(each.search(beginning) is not None for each in SIGNS) >= 2


class NotText(Unreadable):
    """The bytes are no text."""


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
