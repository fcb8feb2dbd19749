"""The words and identifiers of a text, as the lexical search compares them.

Both the documents and the questions go through `terms`, so the databases that index them need no language of their own
and find the same. An identifier is a word that means itself: a fault code (`E-1042`), an error's name
(`ERR_CONN_RESET`, `IndexNotReady`), a part number (`PN 4711-02`). It has several spellings, and all of them are terms.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

TERMS = "terms-1"
"""Name and version of these rules; part of the fingerprint, so raise it when other terms come out."""
LONGEST = 64
"""Characters of a term that are kept."""
DASH = "ǀ"
"""Stands between two groups of digits (`4711-02`): a letter to every database, and in no document."""
WORD = re.compile(r"[^\W_]+")
TOKEN = re.compile(r"[^\W_]+(?:[-_][^\W_]+|(?<=\d)[./](?=\d)[^\W_]+)*")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
SPECIAL = re.compile(r"\d|_|[a-z][A-Z]|[A-Z]{2}-[A-Z]{2}")
"""What every identifier has."""
ACRONYMS = re.compile(r"[A-Z]{2,}s")
PLAIN_WORD = re.compile(r"[^\W\d_][^\W\dA-Z_]+")
CODE = re.compile(r"[a-zA-Z]{1,4}-\d{2,}")
FEW_DIGITS = re.compile(r"(?=.*[a-z])[^\W\d_]+\d[^\W\d_]*|\d[^\W\d_]+")
"""`k8s`, `v2` and `3rd` are written in other ways as well; `E5` is not."""
MEASURE = re.compile(r"\d+(?:st|nd|rd|th|s|ms|m|h|d|x|k|kb|mb|gb|tb|ki|mi|gi|ti|px|km|kg|cm|mm|am|pm|bn)", re.I)
DECIMAL = re.compile(r"\d+[./]\d+")
PREFIX = re.compile(r"[A-Z]{1,4}")
LETTERS_DIGITS = re.compile(r"[^\W\d_]{1,4}[-_]?(\d{2,})")
SHORTEST_NUMBER = 3
NUMBERED = "code codes error errors fault alarm part number no nr pn sku status http rfc iso item"
NAMES_A_NUMBER = frozenset(NUMBERED.split())
EVERYDAY = """
a about after all also am an and any are as at be because been before being both but by can could did do does doing for
from get had has have having he her here hers him his how i if in into is it its just let like may me mean means might
more most much must my no nor not of off on once one only or other our out over own per please same shall she should so
some such tell than that the their them then there these they this those through to too under until up us use used using
very was we were what when where which while who whom whose why will with would you your
"""
STOP_WORDS = frozenset(EVERYDAY.split())
VOWELS = frozenset("aeiouy")


@dataclass(frozen=True)
class Identifier:
    """A word that means itself."""

    spellings: frozenset[str]
    """Terms, any of which is it."""
    start: int
    end: int
    is_code: bool
    """Whether it has digits or underscores; what has not, such as `OpenAI`, is a name."""


def terms(text: str) -> list[str]:
    """The terms of a text, each once: stems of its words, and the spellings of its identifiers."""
    return words_and(identifiers(text, every_number=True), text)


def words_and(named: Iterable["Identifier"], text: str) -> list[str]:
    """`terms` of a text whose identifiers are known."""
    found = dict.fromkeys([stem(word[:LONGEST]) for word in WORD.findall(text.casefold()) if word not in STOP_WORDS])
    for each in named:
        found.update(dict.fromkeys(sorted(each.spellings)))
    if CAMEL.search(text):
        parts = (part for word in WORD.findall(text) if CAMEL.search(word) for part in CAMEL.split(word))
        found.update(dict.fromkeys(stem(part.casefold()[:LONGEST]) for part in parts))
    return list(found)


def identifiers(text: str, *, every_number: bool = False) -> list[Identifier]:
    """The identifiers of a text, in order.

    Args:
        every_number: whether a plain number counts wherever it is, as what may be asked for; else only after a word
            such as `error`, as what is asked for.
    """
    if not SPECIAL.search(text):
        return []
    found: list[Identifier] = []
    before = ""
    for start, token in _tokens(text):
        if _means_itself(token) or (_is_number(token) and (every_number or _names_number(before, text, start))):
            is_code = not token.replace("-", "").isalpha()
            found.append(Identifier(_spellings(token, before, every_number), start, start + len(token), is_code))
        before = token
    return found


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """Tokens with where they begin; a plain word that a hyphen joins to something is one of its own."""
    for match in TOKEN.finditer(text):
        parts = match[0].split("-")
        if len(parts) == 1 or CODE.fullmatch(match[0]) or not any(PLAIN_WORD.fullmatch(part) for part in parts):
            yield match.start(), match[0]
            continue
        start = match.start()
        for part in parts:
            yield start, part
            start += len(part) + 1


def _means_itself(token: str) -> bool:
    if "_" in token:
        return True
    if any(each.isdigit() for each in token):
        if DECIMAL.fullmatch(token) or MEASURE.fullmatch(token) or token.isdigit():
            return False
        return not FEW_DIGITS.fullmatch(token)
    if "-" in token:
        return all(len(part) > 1 and part.isupper() for part in token.split("-"))
    return bool(CAMEL.search(token)) and not ACRONYMS.fullmatch(token)


def _is_number(token: str) -> bool:
    return token.isdigit() and len(token) >= SHORTEST_NUMBER


def _names_number(before: str, text: str, start: int) -> bool:
    return before.casefold() in NAMES_A_NUMBER or bool(PREFIX.fullmatch(before)) or text[start - 1 : start] == "#"


def _spellings(token: str, before: str, every_number: bool) -> frozenset[str]:
    """Its own, with the letters before it (`PN 4711-02`, `E 1042`), and in documents the number of it (`1042`).

    A number that is asked for with letters is one without them only if they say what kind of number it is.
    """
    own = _joined(token)
    found = {own}
    if PREFIX.fullmatch(before) and token[0].isdigit():
        found.add(before.casefold() + own)
        if not every_number and token.isdigit() and before.casefold() not in NAMES_A_NUMBER:
            found.remove(own)
    if every_number and (number := LETTERS_DIGITS.fullmatch(token)):
        found.add(number[1])
    return frozenset(term[:LONGEST] for term in found)


def _joined(token: str) -> str:
    """The token in lower case without what joins its parts, except between digits."""
    return re.sub(r"[-_./]", "", re.sub(r"(?<=\d)[-_./](?=\d)", DASH, token)).casefold()


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """A word without the endings of English plurals and verbs; a word of another alphabet as it is."""
    if len(word) <= SHORTEST_NUMBER or not (word.isascii() and word.isalpha()):
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= SHORTEST_NUMBER and not VOWELS.isdisjoint(rest):
            word = rest[:-1] if rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
            break
    return word[:-1] if word.endswith("e") and len(word) > SHORTEST_NUMBER else word
