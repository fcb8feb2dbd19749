"""An answer without a language model: sentences chosen from what was found, quoted word for word, or none at all.

Choosing is a pure function of what was found. The score of a sentence mixes how near the sentence
is to the question with how near its chunk is: the sentence says whether this is the answer, the chunk whether this is
the subject. `benchmarks/rag.py` measures the constants below.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slipway_crds.runtimeconfig import KnowledgeConfig
from slipway_runtime.events import Citation
from slipway_runtime.knowledge.pieces import PieceKind, collapsed
from slipway_runtime.knowledge.retrieval.found import Found
from slipway_runtime.knowledge.retrieval.wording import own_lines
from slipway_runtime.store.documents import Build, Passage

SENTENCES = 4
"""Sentences of an answer, at most. On CLAPnq three hold 0.78 of the expected words (ROUGE-L 0.55), four 0.86 (0.53)."""
CHUNK_WEIGHT = 0.5
"""Share of the chunk's similarity in a sentence's score; the sentence's own has the rest."""
KEEP = 0.6
"""A further sentence is quoted if its score is at least this share of the best one's."""
CLOSING = " \n\"'*_`)]”’"
ABSTENTION = "The documents do not answer this question."


@dataclass(frozen=True)
class Quote:
    """A piece of a document that answers the question, or a part of it."""

    knowledge: KnowledgeConfig
    build: Build
    passage: Passage
    kind: PieceKind
    heading: str
    text: str
    """What the chunk has for that place; compared with the document before it is cited."""
    score: float
    verified: bool | None = None
    """Whether the document has it word for word; None for a quote that was recorded: the document may have changed."""
    page: int = 0
    """Of the document, if it has pages."""
    words: str = ""
    """What a reader sees of it, where that is not what is written."""

    @property
    def place(self) -> tuple[Build, str, str, int, int]:
        """Where it stands: the same place found twice is one quote."""
        return (self.build, self.passage.source, self.passage.document, self.passage.start, self.passage.end)

    def to_json(self) -> list[str | int | float]:
        """The quote as a step records it."""
        place = (self.passage.source, self.passage.document, self.passage.start, self.passage.end)
        build = (self.build.index, self.build.revision)
        rest = (self.heading, self.text, self.score, self.page, self.words)
        return [self.knowledge.name, *build, *place, self.kind.value, *rest]

    @classmethod
    def from_json(cls, json: Sequence[Any], knowledge: Iterable[KnowledgeConfig]) -> "Quote":
        """What `to_json` made, with the entry of the agent's `knowledge` that it names."""
        name, index, revision, source, document, start, end, kind, heading, text, score, page, words = json
        entry = next(entry for entry in knowledge if entry.name == name)
        passage = Passage(source, document, start, end)
        build = Build(index, revision)
        return cls(entry, build, passage, PieceKind(kind), heading, text, score, page=page, words=words)

    @cached_property
    def shown(self) -> str:
        """The text as the answer shows it: sentences without markup and line breaks; code as it is."""
        if self.kind is PieceKind.CODE:
            return f"```\n{self.words or self.text}\n```"
        return self.words or collapsed(self.text)

    @cached_property
    def citation(self) -> Citation:
        """The quote as clients get it."""
        return Citation(
            index=self.knowledge.name,
            source=self.passage.source,
            document=self.passage.document,
            heading=self.heading,
            start=self.passage.start,
            end=self.passage.end,
            quote=self.text,
            score=round(min(self.score, 1.0), 4),
            page=self.page or None,
        )


def quotes(found: Sequence[Found]) -> list[Quote]:
    """The pieces of the chunks that can be part of an answer, best first; pieces that two chunks share come once.

    A question is no answer, however near it is to the one asked. What scores below the share `KEEP` of the best one is
    left out.
    """
    chosen: dict[tuple[Build, str, str, int, int], Quote] = {}
    least = -1.0
    for score, number, place in sorted(_scores(found), reverse=True):
        if score < least:
            break
        one = found[-number]
        piece, chunk = one.pieces[-place], one.chunk
        text = chunk.text[piece.start - chunk.start : piece.end - chunk.start]
        words = piece.shown
        if piece.kind is PieceKind.SENTENCE and (words or text).rstrip(CLOSING).endswith("?"):
            continue
        start = piece.start
        if one.named is not None and one.wording is not None:
            if not one.named[-place]:
                continue
            begin, end = own_lines(text, one.wording)
            if end - begin < len(text):
                start, text, words = piece.start + begin, text[begin:end], ""
        if not chosen:
            least = max(KEEP * score, 0.0)
        quote = Quote(
            knowledge=one.knowledge,
            build=one.build,
            passage=Passage(source=chunk.source, document=chunk.document, start=start, end=start + len(text)),
            kind=piece.kind,
            heading=chunk.heading,
            text=text,
            score=score,
            verified=one.verified[-place],
            page=chunk.page,
            words=words,
        )
        chosen.setdefault(quote.place, quote)
    return list(chosen.values())


def _scores(found: Sequence[Found]) -> Iterator[tuple[float, int, int]]:
    """The score of each piece, with the numbers of its chunk and itself: negative, so that the first of equals wins."""
    for number, one in enumerate(found):
        of_chunk = CHUNK_WEIGHT * one.score
        for place, similarity in enumerate(one.similarities.tolist()):
            yield of_chunk + (1 - CHUNK_WEIGHT) * similarity, -number, -place


def choose(candidates: Sequence[Quote]) -> list[Quote]:
    """The quotes that make the answer, in reading order; none if the best one scores below its entry's `min_score`.

    An answer comes from one document: sentences of different documents side by side say what neither says.

    Args:
        candidates: best first.
    """
    if not candidates or candidates[0].score < candidates[0].knowledge.min_score:
        return []
    first = candidates[0]
    same_document = (
        quote
        for quote in candidates
        if quote.place[:3] == first.place[:3] and quote.score >= max(KEEP * first.score, 0.0)
    )
    chosen = [quote for quote, _ in zip(same_document, range(SENTENCES), strict=False)]
    return sorted(chosen, key=lambda quote: quote.passage.start)


def answer_parts(chosen: Sequence[Quote]) -> list[str]:
    """The text of each quote as the answer shows it, with what parts it from the one before.

    Code is on lines of its own.
    """
    parts: list[str] = []
    for number, quote in enumerate(chosen):
        neighbours = chosen[max(0, number - 1) : number + 1]
        own_line = any(each.kind is not PieceKind.SENTENCE for each in neighbours)
        gap = "" if number == 0 else "\n" if own_line else " "
        parts.append(gap + quote.shown)
    return parts
