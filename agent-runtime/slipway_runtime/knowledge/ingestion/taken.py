"""What became of the documents that an ingestion loaded."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from slipway_runtime.knowledge.ingestion.documents import Failure
from slipway_runtime.knowledge.ingestion.planning import IngestionPlan, SourceListing, reasons
from slipway_runtime.knowledge.ingestion.sources import DocumentRef


@dataclass(frozen=True)
class IngestionProgress:
    """How far an ingestion is: documents that are done, of those that have to be taken, and chunks made so far."""

    done: int = 0
    total: int = 0
    chunks: int = 0

    def __str__(self) -> str:
        return f"{self.done}/{self.total} documents, {self.chunks} chunks"


class NoSourceAvailable(Exception):
    """Nothing could be read and the index has nothing; the message says why. It may be otherwise the next time."""


class NothingToIngest(Exception):
    """The sources hold no text; the message says what they hold. The build that agents read stays."""


@dataclass
class TakenDocuments:
    """What became of the documents that were loaded."""

    made: int = 0
    """New chunks."""
    unchanged: int = 0
    """Chunks of documents whose text is the same as before."""
    failures: list[Failure] = field(default_factory=list)
    kept_failing: bool = False
    """Whether a document that cannot be read has an earlier version in the build."""
    wordless: dict[DocumentRef, str] = field(default_factory=dict)
    """Without a chunk, with their hashes. They are loaded again to take the place of what the build has, once it is
    sure that something is left."""
    blank: bool = True
    """Whether those are empty altogether."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Why sources cannot be read, by source."""


def nothing_in(refs: Sequence[DocumentRef], taken: TakenDocuments) -> NothingToIngest:
    """Why there is nothing to ingest."""
    if not refs:
        return NothingToIngest("The sources hold no documents.")
    if taken.failures and not taken.wordless:
        named = "; ".join(str(failure) for failure in taken.failures[:3])
        return NothingToIngest(f"none of the {len(taken.failures)} documents could be read: {named}")
    if taken.wordless and taken.blank:
        return NothingToIngest("All documents are empty.")
    return NothingToIngest("the documents hold no text: put sentences into them")


def check_something(
    listing: SourceListing, plan: IngestionPlan, taken: TakenDocuments, *, elsewhere: bool, waits_for_uploads: bool
) -> None:
    """Raise what keeps agents with the build they read: one that has nothing, or not what it has.

    Args:
        elsewhere: whether they read another build.
        waits_for_uploads: whether the index has no sources, so that it may be empty until somebody uploads.
    """
    something = taken.made or taken.unchanged or taken.kept_failing or plan.kept
    if taken.unavailable and (elsewhere or not something):
        raise NoSourceAvailable("; ".join(reasons(taken.unavailable)))
    if not something and not waits_for_uploads:
        raise nothing_in(listing.refs, taken)
