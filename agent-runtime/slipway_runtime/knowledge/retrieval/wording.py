"""What a question says in words: which of them are rare in an index, and which are names that an answer must have.

A vector tells what a text is about, not whether it has this fault code or another one. Words do: the share of a
question's words that a passage has, each counted by how rare it is, is a score like the similarity of vectors.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from slipway_runtime.knowledge.pieces import Piece, PieceKind
from slipway_runtime.knowledge.terms import Identifier, identifiers, terms, words_and

Terms = frozenset[str]


CODE_SHARE = 0.8
"""Share that the codes of a question have in its words: who asks about one wants its entry, whatever else is said."""


@dataclass(frozen=True)
class Wording:
    """The words of a question, as they are looked for in one build."""

    groups: tuple[tuple[Terms, float], ...]
    """Each word, or the spellings of each identifier, and what it weighs."""
    identifiers: tuple[Terms, ...]
    """The spellings of each identifier."""

    @property
    def weights(self) -> dict[str, float]:
        """What each term weighs."""
        return {term: weight for spellings, weight in self.groups for term in sorted(spellings)}

    @cached_property
    def _whole(self) -> float:
        return sum(weight for _, weight in self.groups)

    @cached_property
    def _terms(self) -> Terms:
        return frozenset(term for spellings, _ in self.groups for term in spellings)

    def share(self, found: Terms) -> float:
        """How much of the question a text with these terms has, from 0 to 1; 1 if the question has no words."""
        if not self._whole:
            return 1.0
        if self._terms.isdisjoint(found):  # as most sentences are
            return 0.0
        # In the order of the groups: sums of floats in the order of a set would differ from process to process.
        return sum([weight for spellings, weight in self.groups if not spellings.isdisjoint(found)]) / self._whole

    def named(self, found: Terms) -> bool:
        """Whether a text has one of the question's identifiers."""
        return any(not spellings.isdisjoint(found) for spellings in self.identifiers)


def asked_terms(question: str) -> list[str]:
    """The terms to look for."""
    named = identifiers(question)
    spellings = (term for each in named for term in sorted(each.spellings))
    return list(dict.fromkeys([*spellings, *_other_words(question, named)]))


def wording(question: str, frequencies: Mapping[str, int], chunks: int) -> Wording:
    """The words of a question with their weights.

    Args:
        frequencies: how many chunks have each term.
        chunks: how many there are.
    """
    named = list({each.spellings: each for each in identifiers(question)}.values())
    single = [frozenset((term,)) for term in _other_words(question, named)]
    weights = {
        spellings: _weight(max(frequencies.get(term, 0) for term in spellings), chunks)
        for spellings in (*(each.spellings for each in named), *single)
    }
    codes = {each.spellings for each in named if each.is_code}
    others = sum(weight for spellings, weight in weights.items() if spellings not in codes) or 1.0
    each_code = others * CODE_SHARE / (1 - CODE_SHARE) / max(len(codes), 1)
    groups = tuple((spellings, each_code if spellings in codes else weight) for spellings, weight in weights.items())
    return Wording(groups, tuple(each.spellings for each in named))


def _other_words(question: str, named: Sequence[Identifier]) -> list[str]:
    """The terms of a question without its identifiers."""
    rest = question
    for each in named:
        rest = f"{rest[: each.start]}{' ' * (each.end - each.start)}{rest[each.end :]}"
    return words_and((), rest)


def _weight(having: int, chunks: int) -> float:
    """The rarer, the more: as BM25 weighs terms."""
    return math.log(1 + (max(chunks, having) - having + 0.5) / (having + 0.5))


@dataclass(frozen=True)
class PieceWords:
    """What a piece says, and what it is about by its place."""

    terms: Terms
    """Of itself and of its headings."""
    names: Terms
    """Spellings of the identifiers that it has; if it has none, those of its paragraph or of its headings."""


def words_of(text: str, pieces: Sequence[Piece], *, start: int, heading: str) -> tuple[PieceWords, ...]:
    """The words of each piece of a chunk.

    A sentence goes on about the identifier before it in its paragraph. A row of a table, or a line of a list, has its
    own.

    Args:
        text: of the chunk.
        start: where the chunk begins, in characters of the document, as pieces have them.
    """
    above, above_names = frozenset(terms(heading)), _spellings(identifiers(heading, every_number=True))
    found: list[PieceWords] = []
    before: Piece | None = None
    for piece in pieces:
        own = piece.reading(text[piece.start - start : piece.end - start])
        named = identifiers(own, every_number=True)
        names = _spellings(named)
        if not named or not identifiers(own):
            goes_on = before is not None and _same_paragraph(text[before.end - start : piece.start - start], piece)
            names = names.union(found[-1].names if goes_on and found else above_names)
        found.append(PieceWords(above.union(words_and(named, own)), names))
        before = piece
    return tuple(found)


def own_lines(text: str, asked: Wording) -> tuple[int, int]:
    """The part of a text that is about the identifiers of a question, as offsets: all of it, or its lines in a list.

    In a list each entry begins with a line that has an identifier; lines without one belong to the entry before.
    """
    entries: list[tuple[int, int, bool]] = []
    place = 0
    for line in text.splitlines(keepends=True):
        names = _spellings(identifiers(line))
        end = place + len(line.rstrip())
        if names or not entries:
            entries.append((place, end, asked.named(names)))
        else:
            entries[-1] = (entries[-1][0], max(end, entries[-1][0]), entries[-1][2])
        place += len(line)
    own = [each for each in entries if each[2]]
    if not own or len(own) == len(entries):
        return 0, len(text)
    last = own[0]
    for each in own[1:]:
        if each[0] > last[1] + 1:
            break
        last = each
    return own[0][0], last[1]


def _spellings(named: Iterable[Identifier]) -> Terms:
    return frozenset(term for each in named for term in each.spellings)


def _same_paragraph(gap: str, piece: Piece) -> bool:
    return piece.kind is PieceKind.SENTENCE and not gap.strip() and gap.count("\n") <= 1


def all_of(parts: Iterable[PieceWords]) -> Terms:
    """The terms of a chunk, by its pieces."""
    return frozenset().union(*(part.terms for part in parts))
