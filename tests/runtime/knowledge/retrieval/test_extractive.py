"""Which sentences make an answer, and when there is none."""

from dataclasses import replace

import numpy as np
import pytest

from slipway_runtime.knowledge.pieces import Piece, PieceKind, encode_pieces
from slipway_runtime.knowledge.retrieval.extractive import CHUNK_WEIGHT, SENTENCES, Quote, answer_parts, choose, quotes
from slipway_runtime.knowledge.retrieval.found import Found
from slipway_runtime.store.documents import Build, Passage, StoredChunk
from tests.support.knowledge import entry

BUILD = Build("demo/handbook", "r-1")


def found(
    *sentences: tuple[str, float],
    score: float = 0.5,
    document: str = "a.md",
    start: int = 0,
    kind: PieceKind = PieceKind.SENTENCE,
    min_score: float = 0.3,
) -> Found:
    """A chunk of sentences with their similarities, parted by single spaces, which begins at `start`."""
    pieces: list[Piece] = []
    place = start
    for text, _ in sentences:
        pieces.append(Piece(kind, place, place + len(text)))
        place += len(text) + 1
    text = " ".join(text for text, _ in sentences)
    chunk = StoredChunk(
        id=f"{document}-{start}",
        source="docs",
        document=document,
        ordinal=0,
        heading="Top > Sub",
        start=start,
        end=start + len(text),
        text=text,
        sentences=encode_pieces(pieces),
        vectors=b"",
    )
    similarities = np.array([similarity for _, similarity in sentences], dtype=np.float32)
    return Found(entry(min_score=min_score), BUILD, chunk, score, similarities, pieces, [True] * len(pieces))


def texts(chosen: list[Quote]) -> list[str]:
    return [quote.text for quote in chosen]


def test_the_score_mixes_sentence_and_chunk() -> None:
    [quote] = quotes([found(("A sentence.", 0.9), score=0.4)])
    assert quote.score == pytest.approx(CHUNK_WEIGHT * 0.4 + (1 - CHUNK_WEIGHT) * 0.9)


def test_quotes_stand_where_they_say() -> None:
    one, two = quotes([found(("First one.", 0.9), ("Second.", 0.8), start=100)])
    assert (one.passage, two.passage) == (Passage("docs", "a.md", 100, 110), Passage("docs", "a.md", 111, 118))


def test_a_sentence_that_two_chunks_share_comes_once_with_its_better_score() -> None:
    [quote] = quotes([found(("Same.", 0.9), score=0.2), found(("Same.", 0.9), score=0.6)])
    assert quote.score == pytest.approx(0.75)


def test_a_question_is_no_answer() -> None:
    assert texts(quotes([found(("What is it?", 0.99), ('He asked "why?"', 0.98), ("It is this.", 0.5))])) == [
        "It is this."
    ]


def test_the_answer_is_in_reading_order() -> None:
    candidates = quotes([found(("First.", 0.6), ("Second.", 0.9), ("Third.", 0.7))])
    assert texts(choose(candidates)) == ["First.", "Second.", "Third."]


def test_the_answer_has_only_the_best_sentences() -> None:
    sentences = [(f"Sentence {number}.", 0.5 + number / 20) for number in range(8)]
    assert texts(choose(quotes([found(*sentences)]))) == [f"Sentence {number}." for number in range(8 - SENTENCES, 8)]


def test_sentences_far_below_the_best_are_left_out() -> None:
    assert texts(choose(quotes([found(("Far off.", 0.0), ("Right.", 0.9))]))) == ["Right."]


def test_the_answer_comes_from_one_document() -> None:
    candidates = quotes([found(("Right.", 0.9)), found(("Also good.", 0.89), document="b.md")])
    assert texts(choose(candidates)) == ["Right."]


def test_two_chunks_of_a_document_may_share_an_answer() -> None:
    candidates = quotes([found(("Later.", 0.9), start=500), found(("Earlier.", 0.8), start=0)])
    assert texts(choose(candidates)) == ["Earlier.", "Later."]


@pytest.mark.parametrize(("min_score", "answers"), [(0.69, True), (0.71, False)])
def test_below_min_score_there_is_no_answer(min_score: float, answers: bool) -> None:
    candidates = quotes([found(("It is this.", 0.9), score=0.5, min_score=min_score)])
    assert bool(choose(candidates)) is answers


def test_of_nothing_nothing_is_chosen() -> None:
    assert choose([]) == []


def test_a_citation_carries_the_entry_the_heading_and_the_place() -> None:
    [quote] = quotes([found(("It is this.", 0.9), start=7)])
    citation = quote.citation
    assert (citation.index, citation.source, citation.document) == ("handbook", "docs", "a.md")
    assert (citation.heading, citation.start, citation.end) == ("Top > Sub", 7, 18)
    assert citation.quote == "It is this."
    assert 0 < citation.score <= 1


def test_sentences_are_joined_with_spaces_and_without_markup() -> None:
    one = found(("See **this** [page](a.md).", 0.9), ("And\nthat.", 0.9))
    [first, *rest] = one.pieces
    chosen = choose(quotes([replace(one, pieces=[replace(first, shown="See this page."), *rest])]))
    assert "".join(answer_parts(chosen)) == "See this page. And that."
    assert texts(chosen) == ["See **this** [page](a.md).", "And\nthat."], "what is quoted is what stands there"
    assert [Quote.from_json(quote.to_json(), [quote.knowledge]).shown for quote in chosen] == [
        "See this page.",
        "And that.",
    ]


def test_code_stands_on_lines_of_its_own() -> None:
    before = found(("Run this:", 0.9), start=0)
    code = found(("make demo", 0.9), start=50, kind=PieceKind.CODE)
    after = found(("Then wait.", 0.9), start=90)
    chosen = choose(quotes([before, code, after]))
    assert "".join(answer_parts(chosen)) == "Run this:\n```\nmake demo\n```\nThen wait."
