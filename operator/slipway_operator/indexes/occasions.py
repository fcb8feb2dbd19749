"""When the sources of an index are read although nothing has changed that the operator sees."""

from dataclasses import dataclass
from datetime import UTC, datetime

from slipway_crds.indexes.model import VectorIndex
from slipway_crds.meta import INGEST_ANNOTATION
from slipway_crds.schedules import InvalidSchedule, Schedule
from slipway_operator.core.conditions import epoch, timestamp


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What calls for an ingestion. Times are in epoch seconds."""

    due: float | None = None
    """The newest time of the schedule that has come. Those before it that were missed are made up for by the same
    ingestion."""
    next: float | None = None
    """The next time of the schedule."""
    requested: str = ""
    """What somebody wrote into the annotation."""

    expired: str = ""
    """The former revision that is not kept any more since the newest ingestion."""

    @property
    def name(self) -> str:
        """Tells it from others; empty where nothing calls."""
        due = timestamp(self.due) if self.due is not None else ""
        called = f"{due}/{self.requested}" if due or self.requested else ""
        return f"{called}/{self.expired}" if self.expired else called


def occasion_of(index: VectorIndex, *, created: str, now: float, expired: str = "") -> Occasion:
    """What calls for an ingestion now.

    Args:
        created: when the index was created: times before that are none of its.
        expired: the former revision that is not kept any more.
    """
    requested = (index.metadata.annotations or {}).get(INGEST_ANNOTATION, "")
    given = index.spec.schedule
    if given is None:
        return Occasion(requested=requested, expired=expired)
    try:
        schedule = Schedule(given.cron, given.time_zone)
    except InvalidSchedule:  # reported as a problem of the index
        return Occasion(requested=requested, expired=expired)
    moment = datetime.fromtimestamp(now, UTC)
    since = datetime.fromtimestamp(epoch(created), UTC) if created else moment
    due, following = schedule.due(since=since, now=moment), schedule.after(moment)
    return Occasion(
        due=due.timestamp() if due else None,
        next=following.timestamp() if following else None,
        requested=requested,
        expired=expired,
    )
