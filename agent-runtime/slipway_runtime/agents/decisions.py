"""Choosing among members without a model: rules over the question, and how near it is to what members are for.

All of it is a pure function of the question, the members and the vectors of their texts.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from slipway_crds.runtimeconfig import Role
from slipway_runtime.agents.calling import MemberDescription
from slipway_runtime.events import EventModel

Complexity = Literal["simple", "moderate", "complex"]
CATEGORIES: Sequence[tuple[str, re.Pattern[str]]] = tuple(
    (name, re.compile(rf"\b({words})\b", re.IGNORECASE))
    for name, words in (
        ("comparison", "compare|comparison|difference|differ|versus|vs|better|pros and cons"),
        ("summary", r"summari[sz]e|summary|overview|tl;?dr"),
        ("code", "code|function|script|regex|sql|bug|stack ?trace|refactor|debug|migrate|migration"),
        ("writing", "write|draft|compose|rewrite|rephrase|translate"),
        ("extraction", "extract|list all|json|as a table|fill in"),
        ("calculation", "calculate|compute|sum of|percentage|how much is"),
        ("instructions", "how do i|how can i|how to|how does one|steps|set up|configure|install"),
        ("explanation", "why|explain|what does .* mean"),
    )
)
"""The first that a question matches is its category."""
LOOKUP = "lookup"
"""Of a question that matches none."""
SUITS: Mapping[str, frozenset[str]] = {
    "code": frozenset(("workflow_with_validation", "migration_support")),
    "extraction": frozenset(("structured_output", "type_validation")),
}
"""Capabilities that a category asks for."""
COMPLEX_SUITS = frozenset(("complex_workflow", "workflow_with_validation"))
MODERATE_WORDS, COMPLEX_WORDS = 20, 60
OVERLAP_WEIGHT, CAPABILITY_WEIGHT = 0.2, 0.05
"""How much shared words, and each capability that is asked for, count alongside a similarity of 0 to 1."""
SHARPNESS = 0.08
"""Difference in score at which the better one is about 2.7 times as likely."""
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can could do does for from how i if in is it me my of on or our shall should so that "
        "the their them then there this to was we were what when where which who whom whose why will with would you "
        "your",
    )
)


class Alternative(EventModel):
    """A member that was not chosen first."""

    agent: str
    score: float


class OrchestrationDecision(EventModel):
    """Who answers and why."""

    task_category: str
    task_complexity: Complexity
    chosen_agent: str
    """`namespace/name`."""
    reason: str
    confidence: float
    """From 0 to 1."""
    alternatives: tuple[Alternative, ...]
    """The others, in the order in which they are asked if the chosen one fails or abstains."""
    model_role: Role
    """What the question asks of a model."""
    model: str | None = None
    """The model that decided, as `provider:model`; left out without one."""


@dataclass(frozen=True)
class Task:
    """What a question is."""

    category: str
    complexity: Complexity
    role: Role


@dataclass(frozen=True)
class Ranked:
    """A member with how well it fits, best first in a list."""

    member: MemberDescription
    score: float
    why: str


def analyse(question: str, *, role: Role) -> Task:
    """Category and complexity by rules."""
    category = next((name for name, words in CATEGORIES if words.search(question)), LOOKUP)
    if role == "structured_output":
        category = "extraction"
    words, parts = len(question.split()), question.count("?") + question.strip().count("\n")
    if words > COMPLEX_WORDS or parts > 2:
        return Task(category, "complex", role)
    if words > MODERATE_WORDS or parts > 1 or category in ("comparison", "code", "writing"):
        return Task(category, "moderate", role)
    return Task(category, "simple", role)


def profile(member: MemberDescription) -> tuple[str, ...]:
    """Texts of what a member is for: each sentence of its description by itself, its capabilities, its knowledge."""
    sentences = [each.strip() for each in re.split(r"(?<=[.!?;])\s+", member.description) if each.strip()]
    words = [name.replace("_", " ").replace("-", " ") for name in (*member.capabilities, *member.knowledge)]
    name = member.name.replace("-", " ")
    return (f"{name}: {member.description}" if member.description else name, *sentences[:8], *words)


def rank(
    question: str, task: Task, members: Sequence[MemberDescription], similarities: Mapping[str, float]
) -> tuple[Ranked, ...]:
    """Members by how well they fit, those that are ready first. Equal ones are in the order of their names.

    Args:
        similarities: by name, the greatest cosine of the question and a text of the member's profile.
    """
    asked = content_words(question)
    ranked = [_ranked(member, asked, task, similarities[member.name]) for member in members]
    return tuple(sorted(ranked, key=lambda each: (not each.member.ready, -each.score, each.member.name)))


def _ranked(member: MemberDescription, asked: frozenset[str], task: Task, similarity: float) -> Ranked:
    shared = sorted(asked & content_words(" ".join(profile(member))))
    overlap = len(shared) / len(asked) if asked else 0.0
    needed = SUITS.get(task.category, frozenset()) | (COMPLEX_SUITS if task.complexity == "complex" else frozenset())
    fits = sorted(needed & set(member.capabilities))
    score = similarity + OVERLAP_WEIGHT * overlap + CAPABILITY_WEIGHT * len(fits)
    why = [f"its description is the nearest to the question ({similarity:.2f})"]
    why += [f"shares the words {', '.join(shared[:5])}"] if shared else []
    why += [f"can do {', '.join(fits)}"] if fits else []
    why += [] if member.ready else ["is not ready"]
    return Ranked(member, round(score, 4), "; ".join(why))


def content_words(text: str) -> frozenset[str]:
    """The words that say something, in small letters and without a plural's s."""
    words = (word.removesuffix("s") if len(word) > 3 else word for word in re.findall(r"\w+", text.lower()))
    return frozenset(word for word in words if word not in STOP_WORDS and len(word) > 1)


def confidence(ranked: Sequence[Ranked]) -> float:
    """How much better the first one is than the others: its share of a softmax."""
    best = ranked[0].score
    return round(1 / sum(math.exp((each.score - best) / SHARPNESS) for each in ranked), 2)


def decide(
    task: Task,
    ranked: Sequence[Ranked],
    *,
    namespace: str,
    reason: str | None = None,
    sure: float | None = None,
    model: str | None = None,
) -> OrchestrationDecision:
    """The decision for the first of the ranked members."""
    first, *others = ranked
    return OrchestrationDecision(
        task_category=task.category,
        task_complexity=task.complexity,
        chosen_agent=f"{namespace}/{first.member.name}",
        reason=reason or first.why,
        confidence=confidence(ranked) if sure is None else sure,
        alternatives=tuple(Alternative(agent=f"{namespace}/{each.member.name}", score=each.score) for each in others),
        model_role=task.role,
        model=model,
    )
