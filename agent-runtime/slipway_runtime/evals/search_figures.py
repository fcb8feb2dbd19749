"""How well an index finds what cases ask for: figures for each mode of search and each threshold, and the best of them.

A threshold is what agents have as `minScore`: what scores less is not found. Nothing is asked again for another
threshold, because it only leaves out some of what was found.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any, get_args

from slipway_crds.runtimeconfig import SearchMode
from slipway_runtime.evals.cases import CaseKind, CaseSpec

MODES: tuple[SearchMode, ...] = get_args(SearchMode)
THRESHOLDS = tuple(step / 20 for step in range(2, 18))
"""From 0.10 to 0.85."""


@dataclass(frozen=True)
class CaseSearch:
    """A case, and what one mode finds for it."""

    case: CaseSpec
    found: tuple[tuple[str, float], ...]
    """Document and score of each passage, best first."""
    best: float
    """What an agent compares with `minScore` to tell whether there is an answer."""

    def rank(self, threshold: float) -> int | None:
        """Of the first right document among those that are found, from 1."""
        if self.case.expect is None or self.best < threshold:
            return None
        documents = dict.fromkeys(document for document, score in self.found if score >= threshold)
        right = (place for place, each in enumerate(documents, start=1) if each in self.case.expect.documents)
        return next(right, None)

    def is_right(self, threshold: float) -> bool:
        """Whether something is found exactly where there is an answer."""
        return (self.best >= threshold) == (self.case.kind is CaseKind.ANSWERABLE)


@dataclass(frozen=True)
class SearchFigures:
    """What a mode and a threshold come to."""

    mode: SearchMode
    threshold: float
    hit_at_1: float
    """Share of the answerable cases whose right document is first."""
    hit_at_3: float
    hit_at_k: float
    """Among all that agents are given."""
    mrr: float
    """Mean reciprocal rank of the right document."""
    abstention: float
    """Share of all cases in which something is found exactly if there is an answer."""

    @property
    def balance(self) -> float:
        """What settings are compared by."""
        return (self.mrr + self.abstention) / 2


@dataclass(frozen=True)
class Suggestion:
    """The best mode and threshold."""

    figures: SearchFigures
    reason: str


def figures(searches: Mapping[SearchMode, Sequence[CaseSearch]]) -> list[SearchFigures]:
    """Of all modes and thresholds."""
    return [_figures(mode, threshold, searches[mode]) for mode in searches for threshold in THRESHOLDS]


def _figures(mode: SearchMode, threshold: float, searches: Sequence[CaseSearch]) -> SearchFigures:
    answerable = [each for each in searches if each.case.kind is CaseKind.ANSWERABLE]
    ranks = [each.rank(threshold) for each in answerable]
    return SearchFigures(
        mode=mode,
        threshold=threshold,
        hit_at_1=mean(rank == 1 for rank in ranks),
        hit_at_3=mean(rank is not None and rank <= 3 for rank in ranks),
        hit_at_k=mean(rank is not None for rank in ranks),
        mrr=mean(1 / rank if rank else 0.0 for rank in ranks),
        abstention=mean(each.is_right(threshold) for each in searches),
    )


def suggest(all_figures: Sequence[SearchFigures], *, current: SearchMode) -> Suggestion:
    """The settings of the best balance; of equals the mode that the index has, and the threshold in the middle.

    Args:
        current: the mode that the index has.
    """
    most = max(each.balance for each in all_figures)
    equals = [each for each in all_figures if most - each.balance < 1e-9]
    mode = current if any(each.mode == current for each in equals) else equals[0].mode
    of_mode = [each for each in equals if each.mode == mode]
    best = of_mode[(len(of_mode) - 1) // 2]
    others = ", ".join(
        f"{other} reaches {max(each.balance for each in all_figures if each.mode == other):.3f}"
        for other in dict.fromkeys(each.mode for each in all_figures)
        if other != mode
    )
    span = f", as from {of_mode[0].threshold:.2f} to {of_mode[-1].threshold:.2f}" if len(of_mode) > 1 else ""
    reason = (
        f"at {best.threshold:.2f}{span}, the right document is first for {best.hit_at_1:.0%} of the answerable cases,"
        f" and {best.abstention:.0%} of all cases are rightly answered or rejected"
        f" (balance {best.balance:.3f}; {others})"
    )
    return Suggestion(best, reason)


def single_questions(cases: Iterable[CaseSpec]) -> list[CaseSpec]:
    """The cases that are no conversations: what follows on means nothing to a search."""
    return [case for case in cases if not case.after]


def figures_json(all_figures: Sequence[SearchFigures], suggestion: Suggestion) -> dict[str, Any]:
    """Everything, for pipelines."""
    return {
        "suggestion": {
            "mode": suggestion.figures.mode,
            "minScore": f"{suggestion.figures.threshold:.2f}",
            "reason": suggestion.reason,
        },
        "figures": [{**asdict(each), "balance": each.balance} for each in all_figures],
    }
