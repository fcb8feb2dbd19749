"""A chunk that was found, and how well it fits the question by what it means and by its words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from slipway_crds.runtimeconfig import KnowledgeConfig, SearchConfig
from slipway_runtime.knowledge.documents.neighbours import TextAround
from slipway_runtime.knowledge.embedding.embedder import Vector
from slipway_runtime.knowledge.pieces import Piece, reading
from slipway_runtime.knowledge.retrieval.chunk_cache import DecodedChunk
from slipway_runtime.knowledge.retrieval.wording import Wording
from slipway_runtime.store.documents import Build, StoredChunk

IDENTIFIER_WEIGHT = 0.5
"""Share of the words in the score where the question has an identifier: a fault code means little to a model."""
RRF_K = 60
"""Of reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009."""


@dataclass(frozen=True, eq=False)
class Found:
    """A chunk that was found, and for which entry of the agent's knowledge."""

    knowledge: KnowledgeConfig
    build: Build
    chunk: StoredChunk
    score: float
    """How well the chunk fits the question, at most 1: the cosine similarity, the share of the words, or both."""
    similarities: NDArray[np.float32]
    """The same of each of its pieces."""
    pieces: Sequence[Piece]
    """Its sentences, code and rows."""
    verified: Sequence[bool]
    """Whether the stored document has each of them, word for word."""
    wording: Wording | None = None
    """What the question says, if the index is searched by words."""
    named: Sequence[bool] | None = None
    """Whether each of the pieces has an identifier of the question; None if the question has none."""

    around: TextAround | None = None
    """The chunk with its neighbours, for models, if the index is searched so."""
    standing: float | None = None
    """What it is ranked by in place of its relevance, if a reranker has put it elsewhere."""

    @cached_property
    def relevance(self) -> float:
        """What chunks are ranked by: its own similarity or that of its best piece."""
        similarities: list[float] = self.similarities.tolist()  # faster than numpy's for so few
        return max(self.score, *similarities)

    @property
    def reading(self) -> str:
        """The chunk as it reads, below its headings."""
        return f"{self.chunk.heading}\n{reading(self.pieces, self.chunk.text, self.chunk.start)}"

    @property
    def is_named(self) -> bool:
        """Whether it has an identifier of the question, if there is one."""
        return self.named is None or any(self.named)


def ranked(found: Iterable[Found], count: int) -> list[Found]:
    """The most relevant ones, best first; what has an identifier of the question before all others."""
    return sorted(found, key=lambda one: (not one.is_named, -_standing(one)))[:count]


def reordered(found: Sequence[Found], order: Sequence[int], count: int) -> list[Found]:
    """The best ones in a reranker's order; what has an identifier of the question before all others.

    Scores stay what they are, since they are compared with `minScore`. Each takes the standing of the one whose
    place it has, so that what other indexes have found is ranked among these as before.

    Args:
        order: numbers of those found, best first.
    """
    chosen = sorted((found[number] for number in order), key=lambda one: not one.is_named)[:count]
    standings = sorted((one.relevance for one in chosen), reverse=True)
    return [replace(one, standing=standing) for one, standing in zip(chosen, standings, strict=True)]


def _standing(one: Found) -> float:
    return one.relevance if one.standing is None else one.standing


def fused(found: Sequence[Found], by_words: Sequence[str], count: int) -> list[Found]:
    """Those of the best ranks, by their relevance and by their words, by reciprocal rank fusion; best first.

    Args:
        by_words: ids in the order of the search by words.
    """
    places = {id_: place for place, id_ in enumerate(by_words)}
    score = {
        one.chunk.id: 1 / (RRF_K + rank) + (1 / (RRF_K + places[one.chunk.id]) if one.chunk.id in places else 0.0)
        for rank, one in enumerate(ranked(found, len(found)))
    }
    return ranked(sorted(found, key=lambda one: (not one.is_named, -score[one.chunk.id]))[:count], count)


@dataclass(frozen=True)
class Scorer:
    """Scores chunks for one question in one build.

    Args:
        vector: of the question.
        wording: of the question; None if it is searched for by its meaning alone.
    """

    knowledge: KnowledgeConfig
    build: Build
    search: SearchConfig
    vector: Vector
    wording: Wording | None

    def found(self, one: DecodedChunk, score: float | None) -> Found:
        """A chunk as it was found.

        Args:
            score: cosine similarity of chunk and question, if the vector store found it.
        """
        meant, own = one.vectors @ self.vector, _of_pieces(one, self.vector) if score is None else score
        named: list[bool] | None = None
        if self.wording is not None:
            share = self._share
            by_words = np.array([self.wording.share(each.terms) for each in one.words], dtype=np.float32)
            meant = (1 - share) * meant + share * by_words
            own = (1 - share) * own + share * self.wording.share(one.terms)
            named = [self.wording.named(each.names) for each in one.words] if self.wording.identifiers else None
        return Found(self.knowledge, self.build, one.chunk, own, meant, one.pieces, one.verified, self.wording, named)

    @cached_property
    def _share(self) -> float:
        """What the words have of a score."""
        if self.search.mode == "lexical":
            return 1.0
        least = IDENTIFIER_WEIGHT if self.wording is not None and self.wording.identifiers else 0.0
        return max(self.search.lexical_weight if self.search.fusion == "weighted" else 0.0, least)


def _of_pieces(one: DecodedChunk, vector: Vector) -> float:
    """About the similarity of a chunk whose own vector is not at hand: that of the mean of its pieces."""
    if not len(one.vectors):
        return 0.0
    mean, length = one.middle
    return float(mean @ vector / length)
