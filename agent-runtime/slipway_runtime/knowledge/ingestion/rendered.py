"""Text as a reader sees it, with the offset of each character in the document."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PARAGRAPH = re.compile(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")


@dataclass(frozen=True)
class Rendered:
    """A text without its markup."""

    text: str
    offsets: Sequence[int]
    """The offset of each character of `text` in the document; never smaller than the one before."""
    code: tuple[tuple[int, int], ...] = ()
    """What of `text` is code, as spans: full stops in it end no sentence."""

    @classmethod
    def unchanged(cls, document: str, start: int, end: int) -> "Rendered":
        """A piece of a document that is shown as it is written."""
        return cls(document[start:end], range(start, end))

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The offsets in the document at which `text[start:end]` begins and ends."""
        return self.offsets[start], self.offsets[end - 1] + 1

    def between(self, start: int, end: int) -> "Rendered":
        """A part of it."""
        code = tuple((max(a, start) - start, min(b, end) - start) for a, b in self.code if a < end and b > start)
        return Rendered(self.text[start:end], self.offsets[start:end], code)

    def trimmed(self) -> "Rendered":
        """The text without white space at its ends."""
        return self.stripped(None)

    def stripped(self, characters: str | None) -> "Rendered":
        """The text without these characters at its ends; None for white space."""
        start = len(self.text) - len(self.text.lstrip(characters))
        return self.between(start, max(start, len(self.text.rstrip(characters))))


class Rendering:
    """Puts a rendered text together.

    Args:
        written: what it is rendered from.
        offsets: the place of each character of `written` in the document.
    """

    def __init__(self, written: str, offsets: Sequence[int]) -> None:
        self.written = written
        self.at = 0
        """How far `written` was rendered."""
        self.has_words = False
        """Whether anything but white space is shown so far."""
        self._offsets = offsets
        self._parts: list[str] = []
        self._places: list[int] = []
        self._code: list[tuple[int, int]] = []

    def literal(self, text: str, *, code: bool = False) -> None:
        """Show a text that is written there word for word, somewhere from here on."""
        if not text:
            return
        found = self.written.find(text, self.at)
        if found < 0:
            self.replaced("", text, code=code)
            return
        self._show(text, self._offsets[found : found + len(text)], code=code)
        self.at = found + len(text)

    def replaced(self, written: str, shown: str, *, code: bool = False) -> None:
        """Show something in place of what is written there; nothing, to leave it out."""
        found = self.written.find(written, self.at) if written else self.at
        at = min(max(found, self.at), len(self._offsets) - 1)
        self._show(shown, [self._offsets[at]] * len(shown) if self._offsets else [], code=code)
        self.at = max(found, self.at) + len(written)

    def rendered(self) -> Rendered:
        """What was shown."""
        return Rendered("".join(self._parts), self._places, tuple(self._code))

    def _show(self, text: str, places: Sequence[int], *, code: bool) -> None:
        if not places:
            return
        if code:
            self._code.append((len(self._places), len(self._places) + len(text)))
        self.has_words = self.has_words or not text.isspace()
        self._parts.append(text)
        self._places.extend(places)


def joined(parts: Sequence[Rendered], gap: str) -> Rendered:
    """The parts, one after the other, with something between them."""
    text: list[str] = []
    places: list[int] = []
    code: list[tuple[int, int]] = []
    for number, part in enumerate(parts):
        if number:
            text.append(gap)
            places.extend([places[-1] if places else part.offsets[0] if part.offsets else 0] * len(gap))
        code.extend((a + len(places), b + len(places)) for a, b in part.code)
        text.append(part.text)
        places.extend(part.offsets)
    return Rendered("".join(text), places, tuple(code))


def paragraphs(rendered: Rendered) -> Iterator[Rendered]:
    """Its paragraphs: whatever empty lines part."""
    for match in PARAGRAPH.finditer(rendered.text):
        yield rendered.between(*match.span()).trimmed()
