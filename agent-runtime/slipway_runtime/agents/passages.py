"""Passages of documents as models are given them: numbered, and marked as data.

What is in a document is never an instruction.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slipway_runtime.events import Citation
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.pieces import Piece, decode_pieces, encode_pieces, reading
from slipway_runtime.knowledge.retrieval.found import Found
from slipway_runtime.store.documents import Build, Passage

PASSAGE_TAG = re.compile(r"<(/?)passage", re.IGNORECASE)
WORD = re.compile(r"[^\W_]+(?:[.,][0-9]+)*")
STEM = 5
"""Characters of a word that are compared, so that endings do not matter."""
SHORTEST_WORD = 4


@dataclass(frozen=True)
class GivenPassage:
    """A passage as a model is given it. Recorded with the retrieval, so that every attempt gives the same."""

    number: int
    knowledge: str
    index: str
    revision: str
    source: str
    document: str
    heading: str
    start: int
    text: str
    score: float
    pieces: tuple[Piece, ...]
    """Its sentences, code and rows."""
    page: int = 0
    """Of the document, if it has pages."""

    def to_json(self) -> list[Any]:
        """As a step records it."""
        place = [self.source, self.document, self.heading, self.start, self.text, self.score]
        pieces = encode_pieces(self.pieces)
        return [self.number, self.knowledge, self.index, self.revision, *place, pieces, self.page]

    @classmethod
    def from_json(cls, json: Sequence[Any]) -> "GivenPassage":
        """What `to_json` made."""
        *fields, pieces, page = json
        return cls(*fields, tuple(decode_pieces(pieces)), page)  # type: ignore[call-arg]  # as to_json has them

    @cached_property
    def reading(self) -> str:
        """The passage as a reader of the document sees it: without markup, rows with the names of their columns."""
        return reading(self.pieces, self.text, self.start) if self.pieces else self.text

    @cached_property
    def words(self) -> set[str]:
        """The words of its heading and text, to compare with those of a sentence."""
        return words(f"{self.heading} {self.reading}")

    def citation(self, sentence: str) -> Citation:
        """The source that a sentence has in it, with a verbatim quote."""
        start, end = self.quote_for(sentence)
        return Citation(
            index=self.knowledge,
            source=self.source,
            document=self.document,
            heading=self.heading,
            start=start,
            end=end,
            quote=self.piece(start, end),
            score=self.score,
            page=self.page or None,
        )

    def piece(self, start: int, end: int) -> str:
        """What the document has in the place of one of its pieces."""
        return self.text[start - self.start : end - self.start]

    @cached_property
    def readings(self) -> list[str]:
        """Its pieces as they read."""
        return [each.reading(self.piece(each.start, each.end)) for each in self.pieces]

    def quote_for(self, sentence: str) -> tuple[int, int]:
        """The piece that has most of a sentence's words: the quote that is shown for it."""
        needed = words(sentence)
        whole = (self.start, self.start + len(self.text))
        places = {(each.start, each.end): text for each, text in zip(self.pieces, self.readings, strict=True)}
        return max(places, key=lambda each: len(needed & words(places[each])), default=whole)


def given(found: Iterable[Found], *, first: int = 1) -> list[GivenPassage]:
    """The chunks that are about the question, as passages numbered from `first`; the others are left out."""
    kept = [one for one in found if one.relevance >= one.knowledge.min_score]
    return [
        GivenPassage(
            number=number,
            knowledge=one.knowledge.name,
            index=one.build.index,
            revision=one.build.revision,
            source=one.chunk.source,
            document=one.chunk.document,
            heading=one.chunk.heading,
            start=one.chunk.start if one.around is None else one.around.start,
            text=one.chunk.text if one.around is None else one.around.text,
            score=round(min(one.relevance, 1.0), 4),
            pieces=tuple(_pieces(one)),
            page=one.chunk.page,
        )
        for number, one in enumerate(kept, start=first)
    ]


def _pieces(one: Found) -> Iterable[Piece]:
    """Those of a chunk, or of its neighbours as well; what two chunks share comes once."""
    if one.around is None:
        return one.pieces
    return dict.fromkeys(piece for each in one.around.sentences for piece in decode_pieces(each))


async def verified(documents: DocumentStore, passages: Sequence[GivenPassage]) -> list[GivenPassage]:
    """The passages that the stored documents have word for word: no other is given to a model, or cited."""
    kept: list[GivenPassage] = []
    for build in dict.fromkeys(Build(each.index, each.revision) for each in passages):
        of_build = [each for each in passages if Build(each.index, each.revision) == build]
        places = [Passage(each.source, each.document, each.start, each.start + len(each.text)) for each in of_build]
        stored = await documents.read_passages(build, places)
        kept += [each for each, text in zip(of_build, stored, strict=True) if text == each.text]
    return sorted(kept, key=lambda each: each.number)


def as_prompt(passages: Iterable[GivenPassage]) -> str:
    """The passages as a part of a prompt. Tags within a document cannot end a passage."""
    return "\n".join(
        f'<passage number="{each.number}" document="{_attribute(each.document)}" '
        f'heading="{_attribute(each.heading)}">\n{_escaped(each.reading)}\n</passage>'
        for each in passages
    )


def _escaped(text: str) -> str:
    return PASSAGE_TAG.sub(r"&lt;\1passage", text)


def _attribute(text: str) -> str:
    return re.sub(r"[\"<>\s]+", " ", text)


def words(text: str) -> set[str]:
    """The words of a text that carry meaning, by their beginnings; numbers whole."""
    found = (match[0].lower() for match in WORD.finditer(text))
    return {word if numeric(word) else word[:STEM] for word in found if len(word) >= SHORTEST_WORD or numeric(word)}


def numeric(word: str) -> bool:
    return any(character.isdigit() for character in word)
