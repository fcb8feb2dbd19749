"""What is judged about an answer, as evaluators of pydantic-evals. Each gives one score from 0 to 1."""

import re
from dataclasses import dataclass

from pydantic_evals.evaluators import Evaluator, EvaluatorContext

from slipway_runtime.evals.asking import Asked
from slipway_runtime.evals.cases import CaseKind, CaseSpec

RETRIEVAL = "retrieval"
ANSWER_RECALL = "answer_recall"
ABSTENTION = "abstention"
MARKUP = re.compile(r"[`*_]")
SPACE = re.compile(r"\s+")

Context = EvaluatorContext[str, Asked, CaseSpec]


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


@dataclass(repr=False)
class RightDocument(Evaluator[str, Asked, CaseSpec]):
    """Whether a right document was found. Answerable cases only."""

    def evaluate(self, ctx: Context) -> dict[str, float]:
        expect = case_of(ctx).expect
        return {RETRIEVAL: float(bool(set(expect.documents) & set(ctx.output.documents)))} if expect else {}


@dataclass(repr=False)
class AnswerRecall(Evaluator[str, Asked, CaseSpec]):
    """Share of the expected phrases that the answer has; 0 where the agent abstained. Answerable cases only."""

    def evaluate(self, ctx: Context) -> dict[str, float]:
        expect = case_of(ctx).expect
        if expect is None:
            return {}
        return {ANSWER_RECALL: 0.0 if ctx.output.abstained else phrase_recall(ctx.output.answer, expect.contains)}


@dataclass(repr=False)
class RightAbstention(Evaluator[str, Asked, CaseSpec]):
    """Whether the agent answered what can be answered, and abstained from the rest."""

    def evaluate(self, ctx: Context) -> dict[str, float]:
        return {ABSTENTION: float(ctx.output.abstained != (case_of(ctx).kind is CaseKind.ANSWERABLE))}
