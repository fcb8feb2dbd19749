"""Questions that are understood only with what was asked before them, without a model that could rewrite them.

Such a question is searched for twice: alone, and joined with the question before it. `joined_is_better` compares the
two. A change of topic that only looks like a follow-up, because it has an "it" in it, scores better alone.
"""

import re
from collections.abc import Sequence

from slipway_runtime.knowledge.retrieval.extractive import Quote

SHORT = 4
"""A question of at most so many words leaves something out, unless it asks what something is."""
BEFORE = 3
"""So many earlier questions are joined at most."""
SUBJECT_WORDS = 2
"""An earlier question with so many words about something gives the subject: none before it is joined."""
OWN_SHARE = 0.5
"""Share of `min_score` that a follow-up must reach by its own words.

The earlier question finds passages about its own subject in any case, and they score well. If the follow-up's own words
are not in the documents, they do not answer it.
"""
WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
PRONOUN_WORDS = "it its itself they them their theirs he him his she her hers this that these those one ones such there"
PRONOUNS = frozenset(PRONOUN_WORDS.split())
OPENINGS = re.compile(r"(?:and|or|but|so|then|also|otherwise|what about|how about|what if|what else)\b", re.IGNORECASE)
DEFINITION = re.compile(r"(?:what|who) (?:is|are|was|were) ", re.IGNORECASE)
EMPTY_WORDS = """
a an the and or but so then also too otherwise else what who whom whose which when where why how is are was were be do
does did can could may might must shall should will would has have had if not no yes of for to in on at by with from
about as i you we my your our me us more much many long often please
"""
EMPTY = PRONOUNS | frozenset(EMPTY_WORDS.split())
"""Words that are about nothing in particular."""


def context_of(question: str, earlier: Sequence[str]) -> str:
    """The question joined with the ones that it follows on from; empty if it stands by itself.

    The question comes first, because the embedding model cuts long texts at their end.

    Args:
        earlier: the questions before it, oldest first.
    """
    if not earlier or not is_follow_up(question):
        return ""
    parts = [question]
    for before in reversed(earlier[-BEFORE:]):
        parts.append(before)
        if not is_follow_up(before) or len(_subject(before)) >= SUBJECT_WORDS:
            break
    return " ".join(parts)


def is_follow_up(question: str) -> bool:
    """Whether a question looks as if it followed on from another one: a pronoun, an "and", or very few words."""
    words, text = _words(question), question.strip()
    if not PRONOUNS.isdisjoint(words) or OPENINGS.match(text):
        return True
    return len(words) <= SHORT and not DEFINITION.match(text)


def joined_is_better(question: str, alone: Sequence[Quote], joined: Sequence[Quote]) -> bool:
    """Whether to answer a follow-up from the search with its context instead of the one for its own words.

    Args:
        alone: what the question by itself found, best first.
        joined: what it found together with its context, best first.
    """
    if not alone or not joined or alone[0].score >= joined[0].score:
        return False
    return not _subject(question) or alone[0].score >= OWN_SHARE * alone[0].knowledge.min_score


def _words(question: str) -> list[str]:
    return WORD.findall(question.casefold())


def _subject(question: str) -> list[str]:
    """Its words that are about something."""
    return [word for word in _words(question) if word not in EMPTY]
