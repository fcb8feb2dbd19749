"""Whether the vectors that were ingested are still on the index's server.

A server loses them with its volume. The *content generation* says how often it has had to be filled again. It is part
of the name of the ingestion's Job, so that a new generation starts a new Job, and it is kept on the StatefulSet, since
a status can be lost. The build that agents read is lost as long as its Job is of an earlier generation than the server.
"""

from dataclasses import dataclass

from slipway_operator.core.plan import Annotate
from slipway_operator.core.projections import Child
from slipway_operator.indexes.ingest import GENERATION_ANNOTATION
from slipway_operator.indexes.ingestion import RETRY_SECONDS, IngestionRuns


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What is to be counted: the collection that agents read, on a server that is ready."""

    url: str
    """Of the server."""
    name: str
    chunks: int
    """As many vectors it should have, or more."""
    server: tuple[str, float]
    """The server's pod by its uid, and since when it has been ready, in epoch seconds."""
    job: str
    """Uid of the Job that built it; empty if that was deleted."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What is known of the number of vectors in the collection."""

    vectors: int | None = None
    """None: there is nothing to count, or the server does not say."""
    pending: bool = False
    """The first answer for this build and this start of the server is still to come."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """Whether what agents read is whole. `renew` starts the next content generation."""

    lost: bool
    renew: Annotate | None = None


def generation_of(child: Child | None) -> int:
    """The content generation of a StatefulSet or a Job; 0 at first, and where somebody wrote nonsense there."""
    text = child.annotations.get(GENERATION_ANNOTATION, "") if child is not None else ""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def content_of(
    server: Child | None, runs: IngestionRuns, *, collection: Collection | None, counted: Counted, now: float
) -> Content:
    """What the count means.

    Args:
        server: the StatefulSet.
        collection: what was counted.
    """
    desired = generation_of(server)
    built = generation_of(runs.last.job) if runs.last is not None else desired
    if built < desired:
        return Content(lost=True)
    if server is None or collection is None or not _fewer(runs, collection, counted):
        return Content(lost=False)
    if _too_early(runs, collection, now):
        return Content(lost=True)
    renewed = {GENERATION_ANNOTATION: str(max(desired, built) + 1)}
    return Content(lost=True, renew=Annotate(child=server, annotations=renewed))


def _fewer(runs: IngestionRuns, collection: Collection, counted: Counted) -> bool:
    """Whether vectors are missing.

    While another ingestion runs, or after it failed half-way, there may be fewer than at the end of the last one.
    """
    if counted.vectors is None:
        return False
    settled = runs.current is not None and runs.current.report is not None and runs.unfinished is None
    return counted.vectors < (collection.chunks if settled else min(1, collection.chunks))


def _too_early(runs: IngestionRuns, collection: Collection, now: float) -> bool:
    """Whether vectors are missing again soon after they were made again, on a server that was not started in between:
    then filling it at once would most likely go on like this."""
    last = runs.last
    if last is None or generation_of(last.job) == 0 or last.job.created < collection.server[1]:
        return False
    return now < last.state.finished + RETRY_SECONDS
