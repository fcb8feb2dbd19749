"""Marks in a text that a model writes freely, however it is cut into pieces."""

import pytest

from slipway_runtime.agents.citing import Citing
from slipway_runtime.agents.grounding import NO_ANSWER
from slipway_runtime.agents.passages import GivenPassage
from slipway_runtime.knowledge.pieces import Piece, PieceKind
from slipway_runtime.knowledge.retrieval.extractive import ABSTENTION


def passage(number: int, text: str) -> GivenPassage:
    ends = [text.find(". ") + 1 or len(text), len(text)]
    places = dict.fromkeys(((0, ends[0]), (ends[0], ends[1])))
    pieces = tuple(Piece(PieceKind.SENTENCE, start, end) for start, end in places if start < end)
    return GivenPassage(number, "kitchen", "demo/kitchen", "r", "docs", f"{number}.md", "", 0, text, 0.9, pieces)


TEA = passage(3, "Tea is brewed hot. It is drunk cold.")
CAT = passage(7, "Cats sleep all day.")
CASES = [
    ("Tea is hot [3].", "Tea is hot [1].", [3]),
    ("Cats sleep [7]. Tea is hot [3]. Cats again [7].", "Cats sleep [1]. Tea is hot [2]. Cats again [1].", [7, 3]),
    ("Both [3, 7].", "Both [1] [2].", [3, 7]),
    ("Nobody said so [9].", "Nobody said so.", []),
    ("A [list] and an open [ bracket [3] [", "A [list] and an open [ bracket [1] [", [3]),
    ("No marks at all. ", "No marks at all. ", []),
    ("[3]", "[1]", [3]),
]


@pytest.mark.parametrize(("text", "shown", "cited"), CASES)
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_marks_are_numbered_in_the_order_of_the_text(text: str, shown: str, cited: list[int], size: int) -> None:
    citing = Citing((TEA, CAT))
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    said = [given for piece in pieces for given in citing.feed(piece)] + list(citing.end())
    assert "".join(each for each, _ in said) == citing.text == shown
    assert [source.document for source in citing.sources] == [f"{number}.md" for number in cited]
    assert [source for _, new in said for source in new] == citing.sources


def test_the_quote_is_what_fits_the_sentence_best() -> None:
    citing = Citing((TEA,))
    citing.whole("Something first. One drinks it cold: it is drunk cold [3].")
    assert citing.sources[0].quote.strip() == "It is drunk cold."
    assert TEA.text[citing.sources[0].start : citing.sources[0].end] == citing.sources[0].quote


def test_without_passages_nothing_is_a_mark() -> None:
    assert Citing().whole("a[1] = b[2]") == "a[1] = b[2]"


@pytest.mark.parametrize("text", [NO_ANSWER, f"{NO_ANSWER}.", f" **{NO_ANSWER}**\n"])
def test_no_answer_alone_is_an_abstention(text: str) -> None:
    citing = Citing(may_abstain=True)
    said = [each for letter in text for each in citing.feed(letter)]
    assert said == []
    assert list(citing.end()) == [(ABSTENTION, ())]
    assert citing.abstained


def test_no_answer_within_a_text_is_text() -> None:
    citing = Citing(may_abstain=True)
    assert citing.whole(f"{NO_ANSWER} is what I would say.") == f"{NO_ANSWER} is what I would say."
    assert not citing.abstained
