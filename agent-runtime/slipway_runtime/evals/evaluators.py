"""What is judged about an answer, as evaluators of pydantic-evals. Each gives one score from 0 to 1."""

import re
from dataclasses import dataclass

from pydantic_evals.evaluators import Evaluator, EvaluatorContext

from slipway_runtime.evals.asking import EvaluatedAnswer
from slipway_runtime.evals.cases import CaseKind, CaseSpec, FollowUp

RETRIEVAL = "retrieval"
ANSWER_RECALL = "answer_recall"
ABSTENTION = "abstention"
FOLLOW_UPS = "follow_ups"
TOPIC_CHANGE = "topic_change"
ASKED_ALONE = "asked_alone"
"""The questions of `TOPIC_CHANGE` without what was asked before them."""
SINGLE_TURN = "single_turn"
"""Single questions: the recall of those that can be answered, the abstention from the others."""
IN_SESSION = "in_session"
"""The same questions after one about something else."""
MARKUP = re.compile(r"[`*_]")
SPACE = re.compile(r"\s+")

Context = EvaluatorContext[CaseSpec, EvaluatedAnswer, CaseSpec]


def plain(text: str) -> str:
    """Text without markup, case and line breaks, to compare by."""
    return SPACE.sub(" ", MARKUP.sub("", text)).casefold()


def phrase_recall(answer: str, phrases: tuple[str, ...]) -> float:
    """Share of the phrases that the answer contains; `a|b` is either."""
    words = plain(answer)
    found = [any(plain(choice.strip()) in words for choice in phrase.split("|")) for phrase in phrases]
    return sum(found) / len(found)


def case_of(context: Context) -> CaseSpec:
    """The case that is being judged."""
    if context.metadata is None:
        raise ValueError("every case of ours has itself as its metadata")
    return context.metadata


def single_turn(context: Context) -> bool:
    """Whether the case is a question that follows on from nothing, and is asked first."""
    return case_of(context).follow_up is None and not context.inputs.after


def recall(context: Context) -> float | None:
    """Share of the expected phrases that the answer has; 0 where the agent abstained. None if none are expected."""
    expect = case_of(context).expect
    if expect is None:
        return None
    return 0.0 if context.output.abstained else phrase_recall(context.output.answer, expect.contains)


def right_abstention(context: Context) -> float:
    """Whether the agent answered what can be answered, and abstained from the rest."""
    return float(context.output.abstained != (case_of(context).kind is CaseKind.ANSWERABLE))


@dataclass(repr=False)
class RightDocument(Evaluator[CaseSpec, EvaluatedAnswer, CaseSpec]):
    """Whether a right document was found. Single questions that can be answered only."""

    def evaluate(self, ctx: Context) -> dict[str, float]:
        expect = case_of(ctx).expect
        if expect is None or not single_turn(ctx):
            return {}
        return {RETRIEVAL: float(bool(set(expect.documents) & set(ctx.output.documents)))}


@dataclass(repr=False)
class AnswerRecall(Evaluator[CaseSpec, EvaluatedAnswer, CaseSpec]):
    """See `recall`. Single questions only."""

    def evaluate(self, ctx: Context) -> dict[str, float]:
        share = recall(ctx)
        return {} if share is None or not single_turn(ctx) else {ANSWER_RECALL: share}


@dataclass(repr=False)
class RightAbstention(Evaluator[CaseSpec, EvaluatedAnswer, CaseSpec]):
    """See `right_abstention`. Single questions only."""

    def evaluate(self, ctx: Context) -> dict[str, float]:
        return {ABSTENTION: right_abstention(ctx)} if single_turn(ctx) else {}


@dataclass(repr=False)
class RightFollowUp(Evaluator[CaseSpec, EvaluatedAnswer, CaseSpec]):
    """The recall of questions that can be answered, the abstention from those that cannot, by where they are asked."""

    def evaluate(self, ctx: Context) -> dict[str, float]:
        share = recall(ctx)
        return {_compared_as(ctx): right_abstention(ctx) if share is None else share}


def _compared_as(context: Context) -> str:
    """The metric by which a case is compared with others."""
    match case_of(context).follow_up:
        case None:
            return IN_SESSION if context.inputs.after else SINGLE_TURN
        case FollowUp.TOPIC_CHANGE:
            return TOPIC_CHANGE if context.inputs.after else ASKED_ALONE
        case _:
            return FOLLOW_UPS
