"""What of a VectorIndex only an edit fixes, and its schema does not refuse."""

from collections.abc import Iterator

from slipway_crds.egress import egress_problems
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.resolve import ResolveProblem, stalled
from slipway_crds.schedules import InvalidSchedule, Schedule


def index_problems(index: VectorIndex) -> Iterator[ResolveProblem]:
    """A schedule that is none, and destinations that cannot be opened."""
    if index.spec.schedule is not None:
        try:
            Schedule(index.spec.schedule.cron, index.spec.schedule.time_zone)
        except InvalidSchedule as error:
            yield stalled(index, "spec.schedule", "InvalidSchedule", str(error))
    for path, wrong in egress_problems(index.spec.egress):
        yield stalled(index, path, "InvalidEgress", wrong)
