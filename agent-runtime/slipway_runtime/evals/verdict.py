"""From scores to a verdict: averages next to their bars, as a table and as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic_evals.reporting import EvaluationReport, ReportCase
from rich.table import Table

from slipway_runtime.evals.asking import EvaluatedAnswer
from slipway_runtime.evals.cases import CaseSpec
from slipway_runtime.evals.evaluators import (
    ABSTENTION,
    ANSWER_RECALL,
    ASKED_ALONE,
    FOLLOW_UPS,
    IN_SESSION,
    RETRIEVAL,
    SINGLE_TURN,
    TOPIC_CHANGE,
)

BARS: Mapping[str, float] = {RETRIEVAL: 0.9, ANSWER_RECALL: 0.7, ABSTENTION: 0.8}
FOLLOW_UP_BAR = 0.7
IN_SESSION_LOSS = 0.01
"""By how much single questions may be answered worse where others were asked before."""
SHOWN = (*BARS, FOLLOW_UPS, TOPIC_CHANGE, ASKED_ALONE, IN_SESSION)

ANSWER_SHOWN = 160

Report = EvaluationReport[CaseSpec, EvaluatedAnswer, CaseSpec]
OneCase = ReportCase[CaseSpec, EvaluatedAnswer, CaseSpec]


@dataclass(frozen=True)
class Metric:
    """An average over the cases that have it, and the bar that it must reach."""

    name: str
    value: float
    cases: int
    bar: float

    @property
    def met(self) -> bool:
        """Whether the bar is reached; a metric without a case is not."""
        return self.cases > 0 and self.value >= self.bar


@dataclass(frozen=True)
class Verdict:
    """What an evaluation comes to."""

    metrics: tuple[Metric, ...]
    abstention_by_kind: Mapping[str, float]
    follow_ups_by_kind: Mapping[str, float]
    p50_seconds: float
    p95_seconds: float
    failures: tuple[str, ...]
    """Cases that ended in an error."""

    @property
    def passed(self) -> bool:
        """Whether every bar is met and every case was answered."""
        return not self.failures and all(metric.met for metric in self.metrics)


def mean(values: Sequence[float]) -> float:
    """The average; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed (nearest rank); 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else 0.0


def score(case: OneCase, metric: str) -> float | None:
    """A case's score, or None where the metric does not apply."""
    found = case.scores.get(metric)
    return None if found is None else float(found.value)


def spec(case: OneCase) -> CaseSpec:
    """The case as it was written."""
    if case.metadata is None:
        raise ValueError("every case of ours has itself as its metadata")
    return case.metadata


def judge(report: Report) -> Verdict:
    """Sum a report up."""
    metrics = [metric_of(report, name, bar) for name, bar in BARS.items()]
    if scores(report, FOLLOW_UPS):
        metrics.append(metric_of(report, FOLLOW_UPS, FOLLOW_UP_BAR))
    if scores(report, TOPIC_CHANGE):
        metrics.append(metric_of(report, TOPIC_CHANGE, mean(scores(report, ASKED_ALONE))))
    if scores(report, IN_SESSION):
        metrics.append(metric_of(report, IN_SESSION, mean(scores(report, SINGLE_TURN)) - IN_SESSION_LOSS))
    kinds: dict[str, list[float]] = {}
    follow_ups: dict[str, list[float]] = {}
    for case in report.cases:
        if (value := score(case, ABSTENTION)) is not None:
            kinds.setdefault(spec(case).kind.value, []).append(value)
        if (value := score(case, FOLLOW_UPS)) is not None and (follow_up := spec(case).follow_up):
            follow_ups.setdefault(follow_up.value, []).append(value)
    durations = [case.output.seconds for case in report.cases]
    return Verdict(
        metrics=tuple(metrics),
        abstention_by_kind={kind: mean(values) for kind, values in sorted(kinds.items())},
        follow_ups_by_kind={kind: mean(values) for kind, values in sorted(follow_ups.items())},
        p50_seconds=percentile(durations, 0.5),
        p95_seconds=percentile(durations, 0.95),
        failures=tuple(f"{failure.name}: {failure.error_message}" for failure in report.failures),
    )


def scores(report: Report, metric: str) -> list[float]:
    """The scores of the cases that have this metric."""
    return [value for case in report.cases if (value := score(case, metric)) is not None]


def metric_of(report: Report, name: str, bar: float) -> Metric:
    """The average of a metric."""
    values = scores(report, name)
    return Metric(name, mean(values), len(values), bar)


def shortfalls(report: Report) -> list[str]:
    """What fell short, one case a line: its scores below 1, the question, the answer."""
    lines = []
    for case in report.cases:
        low = {name: value for name in SHOWN if (value := score(case, name)) is not None and value < 1}
        if low:
            shown = ", ".join(f"{name} {value:.2f}" for name, value in low.items())
            answer = " ".join(case.output.answer.split())
            question = " / ".join((*case.inputs.after, case.inputs.question))
            lines.append(f"{case.name} ({shown}): {question} -> {answer[:ANSWER_SHOWN]}")
    return lines


def metric_table(verdict: Verdict) -> Table:
    """The averages next to their bars."""
    table = Table("metric", "value", "bar", "cases", "", title="evaluation")
    for metric in verdict.metrics:
        met = "[green]met[/]" if metric.met else "[red]missed[/]"
        table.add_row(metric.name, f"{metric.value:.3f}", f"{metric.bar:.2f}", str(metric.cases), met)
    for kind, value in verdict.abstention_by_kind.items():
        table.add_row(f"  {ABSTENTION}, {kind}", f"{value:.3f}", "", "", "")
    for kind, value in verdict.follow_ups_by_kind.items():
        table.add_row(f"  {FOLLOW_UPS}, {kind}", f"{value:.3f}", "", "", "")
    table.add_row(
        "latency p50 / p95", f"{verdict.p50_seconds * 1e3:.0f} / {verdict.p95_seconds * 1e3:.0f} ms", "", "", ""
    )
    return table


def as_json(report: Report, verdict: Verdict) -> dict[str, Any]:
    """Everything, for pipelines and for other tools that measure answers."""
    return {
        "passed": verdict.passed,
        "metrics": [{**asdict(metric), "met": metric.met} for metric in verdict.metrics],
        "abstention_by_kind": dict(verdict.abstention_by_kind),
        "follow_ups_by_kind": dict(verdict.follow_ups_by_kind),
        "latency_seconds": {"p50": verdict.p50_seconds, "p95": verdict.p95_seconds},
        "failures": list(verdict.failures),
        "cases": [
            {
                **case.inputs.model_dump(mode="json", exclude={"name"}),
                "name": case.name,
                "scores": {name: value for name in SHOWN if (value := score(case, name)) is not None},
                **asdict(case.output),
            }
            for case in report.cases
        ],
    }
