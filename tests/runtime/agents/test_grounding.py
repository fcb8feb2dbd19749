"""What of a model's answer is kept, and how it is marked, whatever the pieces in which it comes."""

from collections.abc import Sequence

import numpy as np
import pytest

from slipway_runtime.agents.citing import Citing
from slipway_runtime.agents.grounding import Grounding
from slipway_runtime.agents.marks import split
from slipway_runtime.agents.passages import GivenPassage
from slipway_runtime.knowledge.embedding.embedder import Matrix
from slipway_runtime.knowledge.pieces import Piece, PieceKind


def sentences(*places: tuple[int, int]) -> tuple[Piece, ...]:
    return tuple(Piece(PieceKind.SENTENCE, start, end) for start, end in places)


PASSAGES = [
    GivenPassage(
        1, "k", "i", "r", "docs", "install.md", "Install", 0,
        "Install the operator with helm install slipway. Then configure the gateway with its address. "
        "Run the list command: x = items[0] prints the first item of the list.",
        0.9, sentences((0, 46), (47, 92), (93, 162)),
    ),
    GivenPassage(
        2, "k", "i", "r", "docs", "limits.md", "Limits", 0,
        "The gateway accepts bodies of eight megabytes. Timeouts are configured in seconds.",
        0.9, sentences((0, 46), (47, 83)),
    ),
]  # fmt: skip
LIST = "1. Install the operator with helm install [1].\n2. configure the gateway with its address [1]."
FENCE = (
    "Run the list command:\n```\nx = items[0] prints the first item of the list\n```\nThe gateway accepts bodies [2]."
)
TABLE = "| gateway | bodies |\n|---|---|\n| accepts | megabytes [2] |"
KEPT = {
    "an ordered list": (LIST, LIST),
    "code between fences": (FENCE, FENCE),
    "an index in code": ("Run the list command, items[0] prints the first item of the list [1].", None),
    "two marks": (
        "The gateway accepts bodies and a gateway address [1][2].",
        "The gateway accepts bodies and a gateway address [1] [2].",
    ),
    "marks behind the full stop": (
        "The gateway accepts bodies. [2] Timeouts are configured. [2]",
        "The gateway accepts bodies [1]. Timeouts are configured [1].",
    ),
    "marks of other models": (
        "The gateway accepts bodies【2】. Timeouts are configured in seconds [^2].",
        "The gateway accepts bodies [1]. Timeouts are configured in seconds [1].",
    ),
    "a number that was not given": ("The gateway accepts bodies [77].", "The gateway accepts bodies [1]."),
    "a yes": (
        "Yes. The gateway accepts bodies of eight megabytes [2].",
        "Yes. The gateway accepts bodies of eight megabytes [1].",
    ),
    "a no": ("No. [1]", "No [1]."),
    "a table": (TABLE, "| gateway | bodies |\n|---|---|\n| accepts | megabytes [1] |"),
    "another number": ("The gateway accepts bodies of 8 megabytes [2].", ""),
    "a denial": ("The gateway does not accept bodies of eight megabytes [2].", ""),
    "short words": (
        "Timeouts are configured in seconds [2]. Do not use it.",
        "Timeouts are configured in seconds [1].",
    ),
}


async def kept(text: str, size: int) -> Grounding:
    """What is kept of a text that comes in pieces of so many characters."""
    grounding, pending = Grounding(PASSAGES), ""
    for start in range(0, len(text), size):
        whole, pending = split(pending + text[start : start + size], last=False)
        for sentence in whole:
            await grounding.add(sentence)
    for sentence in split(pending, last=True)[0]:
        await grounding.add(sentence)
    return grounding


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(("text", "expected"), KEPT.values(), ids=KEPT)
async def test_what_the_passages_say_is_kept_as_it_was_written(text: str, expected: str | None, size: int) -> None:
    grounding = await kept(text, size)
    assert "".join(grounding.parts).strip() == (text if expected is None else expected)
    assert bool(grounding.unsupported) is (expected == "" or "Do not" in text)


async def test_each_source_is_given_once_with_the_sentence_that_is_the_first_to_cite_it() -> None:
    grounding = Grounding(PASSAGES)
    given = [await grounding.add(sentence) for sentence in (KEPT["two marks"][0], " Timeouts are configured [2].")]
    new = [[citation.document for citation in each[1]] for each in given if each]
    assert new == [["install.md", "limits.md"], []]


CODE = "Open ports [80, 443]; x = [0]; `m[2]` is\n```\nm[2]\n```\nthe gateway [2]."


@pytest.mark.parametrize("size", [1, 1000])
def test_brackets_that_are_no_marks_stay_in_free_text(size: int) -> None:
    citing = Citing(PASSAGES)
    pieces = [citing.feed(CODE[start : start + size]) for start in range(0, len(CODE), size)]
    shown = "".join(text for each in (*pieces, citing.end()) for text, _ in each)
    assert shown == CODE.replace("gateway [2]", "gateway [1]")


class CountingEmbedder:
    """A stand-in whose vectors say nothing: it counts what it is given."""

    identity = "counting"
    dimensions = 2

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def embed_texts(self, texts: Sequence[str], **_: object) -> Matrix:
        self.texts += texts
        return np.array([[0.0, 1.0]] * len(texts), dtype=np.float32)

    async def embed_query(self, _: str) -> Matrix:
        return np.array([1.0, 0.0], dtype=np.float32)


async def test_the_sentences_of_passages_are_embedded_once_for_an_answer() -> None:
    embedder = CountingEmbedder()
    grounding = Grounding(PASSAGES, embedder)  # type: ignore[arg-type]  # what it needs of one
    for sentence in ("Elephants are grey.", "Penguins swim far.", "Herons wait [2]."):
        assert await grounding.add(sentence) is None
    pieces = [text for passage in PASSAGES for text in passage.readings]
    assert sorted(embedder.texts) == sorted(pieces)
