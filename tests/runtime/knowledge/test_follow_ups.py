"""A question that follows on from another one is recognised, joined with it, and judged by its own words too."""

import pytest

from slipway_crds.runtimeconfig import KnowledgeConfig
from slipway_runtime.knowledge.pieces import PieceKind
from slipway_runtime.knowledge.retrieval.extractive import Quote
from slipway_runtime.knowledge.retrieval.follow_ups import context_of, is_follow_up, joined_is_better
from slipway_runtime.store.documents import Build, Passage
from tests.support.knowledge import entry


@pytest.mark.parametrize(
    ("question", "follows"),
    [
        ("How long is it valid?", True),
        ("And with lemon?", True),
        ("What about the cats at night?", True),
        ("Why?", True),
        ("Without milk?", True),
        ("How hot should the water for green tea be?", False),
        ("What is a run?", False),
        ("", True),
    ],
)
def test_pronouns_openings_and_few_words_make_a_follow_up(question: str, follows: bool) -> None:
    assert is_follow_up(question) is follows


@pytest.mark.parametrize(
    ("earlier", "question", "joined"),
    [
        ([], "And cats?", ""),
        (["How do cats sleep?"], "How hot should the water for green tea be?", ""),
        (["How is tea brewed?", "How do cats sleep?"], "And dogs?", "And dogs? How do cats sleep?"),
        (["How do cats sleep?", "Why?"], "And dogs?", "And dogs? Why? How do cats sleep?"),
        (["How do cats sleep?", "Is it deep winter sleep?"], "Why?", "Why? Is it deep winter sleep?"),
        (["How do cats sleep?", "Why?", "Why?", "Why?"], "Why?", "Why? Why? Why? Why?"),
    ],
)
def test_earlier_questions_are_joined_up_to_the_one_with_the_subject(
    earlier: list[str], question: str, joined: str
) -> None:
    assert context_of(question, earlier) == joined


def quote(score: float, knowledge: KnowledgeConfig) -> Quote:
    return Quote(knowledge, Build("demo/docs", "1"), Passage("s", "d", 0, 1), PieceKind.SENTENCE, "", "x", score)


@pytest.mark.parametrize(
    ("question", "alone", "joined", "better"),
    [
        ("And with lemon?", 0.3, 0.6, True),
        ("And with lemon?", 0.7, 0.6, False),
        ("And horses?", 0.2, 0.6, False),
        ("Why?", 0.2, 0.6, True),
    ],
)
def test_the_search_with_its_context_counts_if_the_documents_have_the_follow_ups_own_words(
    question: str, alone: float, joined: float, better: bool
) -> None:
    knowledge = entry(min_score=0.5)
    assert joined_is_better(question, [quote(alone, knowledge)], [quote(joined, knowledge)]) is better


def test_a_search_that_found_nothing_is_not_the_better_one() -> None:
    assert not joined_is_better("Why?", [quote(0.1, entry())], [])
    assert not joined_is_better("Why?", [], [quote(0.1, entry())])
