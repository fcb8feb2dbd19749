"""What of a VectorIndex only an edit fixes, and its schema does not refuse."""

from collections.abc import Iterator

from slipway_crds.egress import cidr_problem
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.objectmeta import metadata_problems
from slipway_crds.references import ref_to
from slipway_crds.resolve import ResolveProblem, Severity
from slipway_crds.schedules import InvalidSchedule, Schedule


def index_problems(index: VectorIndex) -> Iterator[ResolveProblem]:
    """A schedule that is none, and destinations that cannot be opened."""
    if index.spec.schedule is not None:
        try:
            Schedule(index.spec.schedule.cron, index.spec.schedule.time_zone)
        except InvalidSchedule as error:
            yield _stalled(index, "spec.schedule", "InvalidSchedule", str(error))
    for position, entry in enumerate(index.spec.egress):
        if entry.cidr and (wrong := cidr_problem(entry.cidr)):
            yield _stalled(index, f"spec.egress[{position}].cidr", "InvalidEgress", wrong)
        for problem in metadata_problems({"name": "x", "labels": entry.pod_labels or {}}):
            yield _stalled(index, f"spec.egress[{position}].podLabels", "InvalidEgress", problem.message)


def _stalled(index: VectorIndex, path: str, reason: str, message: str) -> ResolveProblem:
    return ResolveProblem(
        severity=Severity.STALLED, subject=str(ref_to(index)), path=path, reason=reason, message=message
    )
