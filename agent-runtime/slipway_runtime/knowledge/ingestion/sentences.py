"""Where the sentences of a paragraph begin and end.

The rules are few and lean to not splitting: half a sentence is a bad quote, two sentences in one are a long one.
"""

import re
from collections.abc import Iterator

Span = tuple[int, int]
"""Start and end offset in characters, end exclusive."""

END = re.compile(r"[.!?…]+[\"'”’)\]*_`]*(?=\s)|[。！？]+[”’」』）]*")
NEXT = re.compile(r"\s+[\"'“‘(\[*_`]*([^\W_])")
LAST_WORD = re.compile(r"[\w.'’-]*\Z")
INITIALS = re.compile(r"[a-z](\.[a-z])*", re.I)
TITLES = re.compile(
    r"e\.g|i\.e|vs|cf|ca|approx|resp|incl|mrs?|ms|dr|prof|st|figs?|pp|gen|col|sgt|capt|lt|gov|sen|rep|rev|hon", re.I
)
"""Abbreviations that never end a sentence."""
BEFORE_NUMBER = re.compile(r"nos?|vol|sec|ch|p|art|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec", re.I)
"""Abbreviations that go on when a number follows."""
CODE = re.compile(r"(?<!`)`(?!`)[^`\n]+`(?!`)|\]\([^)\s]*\)")
WINDOW = 64
"""Characters looked at around a full stop; it keeps the work linear in the text."""


def goes_on(before: str, following: str) -> bool:
    """Whether the full stop between the two belongs to an abbreviation rather than to the end of a sentence."""
    found = LAST_WORD.search(before)
    word = found[0] if found else ""
    if TITLES.fullmatch(word) or INITIALS.fullmatch(word):
        return True
    return following.isdigit() and BEFORE_NUMBER.fullmatch(word) is not None


def ends(text: str) -> Iterator[int]:
    """Offsets just behind each sentence that another one follows."""
    # Full stops in code and in links are not ours; the capital letter lets a sentence begin with code.
    masked = CODE.sub(lambda match: "X" * len(match[0]), text)
    for match in END.finditer(masked):
        if match[0][0] in "。！？":
            yield match.end()
            continue
        following = NEXT.match(masked[match.end() : match.end() + WINDOW])
        if not following or following[1].islower():
            continue
        before = masked[max(0, match.start() - WINDOW) : match.start()]
        if not (match[0].startswith(".") and goes_on(before, following[1])):
            yield match.end()


def split_sentences(text: str) -> list[Span]:
    """The sentences of a paragraph, in order; whitespace between them belongs to none.

    Every character that is not whitespace is in exactly one of them.
    """
    spans: list[Span] = []
    start = 0
    for end in (*ends(text), len(text)):
        piece = text[start:end]
        stripped = piece.strip()
        if stripped:
            begin = start + len(piece) - len(piece.lstrip())
            spans.append((begin, begin + len(stripped)))
        start = end
    return spans
