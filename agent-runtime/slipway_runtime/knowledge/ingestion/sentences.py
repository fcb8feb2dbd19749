"""Where the sentences of a paragraph begin and end.

sentencex finds them, by the language that the document is in. What is added leans to not splitting: half a sentence is
a bad quote, two sentences in one are a long one.
"""

import re
from collections.abc import Iterable, Iterator

from sentencex import get_sentence_boundaries

Span = tuple[int, int]
"""Start and end offset in characters, end exclusive."""

LAST_WORD = re.compile(r"([^\W_][\w.'’-]*)\.[\"'”’»)\]]*\s*\Z")
INITIALS = re.compile(r"[^\W\d_](\.-?[^\W\d_])*")
ABBREVIATIONS = re.compile(
    r"approx|resp|incl|figs?|pp|gen|col|sgt|capt|lt|gov|rep|hon|m|mm|mmes?|mlles?|mgr|dr|prof|st|ste|env|av|cf|vgl|bzw",
    re.IGNORECASE,
)
"""Abbreviations that sentencex does not know in each language, and that end no sentence."""
BEFORE_NUMBER = re.compile(
    r"nos?|vol|sec|ch|p|art|jan|janv|feb|févr?|mar|apr|avr|jun|jul|juil|aug|sept?|oct|okt|nov|dec|déc|dez",
    re.IGNORECASE,
)
"""Abbreviations that go on when a number follows."""
ORDINAL = re.compile(r"\d{1,2}")
"""In German, `3.` is the third one."""
CLOSING = re.compile(r"[*_`]+(?=\s)")
"""Markup that ends where the sentence does, in text that is not rendered."""
WINDOW = 64
"""Characters looked at around a full stop; it keeps the work linear in the text."""


def goes_on(before: str, following: str, language: str) -> bool:
    """Whether one sentence is on both sides of a place that looks like its end.

    Args:
        before: what stands before that place, to its full stop.
        following: what stands behind it.
    """
    following = following.lstrip("\"'“‘«(„ ")
    if following[:1].islower():
        return True
    found = LAST_WORD.search(before)
    word = found[1] if found else ""
    if ABBREVIATIONS.fullmatch(word) or (INITIALS.fullmatch(word) and word != "I"):
        return True
    if language == "de" and ORDINAL.fullmatch(word):
        return True
    return following[:1].isdigit() and BEFORE_NUMBER.fullmatch(word) is not None


def ends(text: str, language: str = "en", *, code: Iterable[Span] = ()) -> Iterator[int]:
    """Offsets just behind each sentence that another one follows.

    Args:
        language: ISO 639-1.
        code: parts of the text in which full stops end nothing.
    """
    letters = list(text)
    for start, end in code:
        letters[start:end] = "X" * (end - start)
    text = "".join(letters)
    for each in get_sentence_boundaries(language, text)[:-1]:
        end = each["start_index"] + len(each["text"].rstrip())
        closed = CLOSING.match(text, end)
        end = closed.end() if closed else end
        if end < len(text) and not goes_on(text[max(0, end - WINDOW) : end], text[end : end + WINDOW], language):
            yield end


def split_sentences(text: str, language: str = "en", *, code: Iterable[Span] = ()) -> list[Span]:
    """The sentences of a paragraph, in order; white space between them belongs to none.

    Every character that is not white space is in exactly one of them.

    Args:
        language: ISO 639-1.
        code: parts of the text in which full stops end nothing.
    """
    spans: list[Span] = []
    start = 0
    for end in (*ends(text, language, code=code), len(text)):
        piece = text[start:end]
        stripped = piece.strip()
        if stripped:
            begin = start + len(piece) - len(piece.lstrip())
            spans.append((begin, begin + len(stripped)))
        start = end
    return spans
