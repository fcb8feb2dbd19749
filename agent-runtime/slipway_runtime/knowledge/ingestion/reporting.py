"""What an ingestion that ended reports."""

from slipway_crds.runtimeconfig import IngestReport, KeptReport
from slipway_runtime.knowledge.ingestion.acceptance import AcceptanceVerdict
from slipway_runtime.knowledge.ingestion.former import on_own_server
from slipway_runtime.knowledge.ingestion.planning import reasons
from slipway_runtime.knowledge.ingestion.taken import TakenDocuments
from slipway_runtime.store.pointers import IndexPointer

FAILURES_REPORTED = 20


def report_of(
    pointer: IndexPointer, taken: TakenDocuments, verdict: AcceptanceVerdict, previous: KeptReport | None
) -> IngestReport:
    """The report.

    Args:
        pointer: to the build that was made.
        previous: the build that was served before.
    """
    return IngestReport(
        revision=pointer.revision,
        fingerprint=pointer.fingerprint,
        documents=pointer.documents,
        chunks=pointer.chunks,
        failed=pointer.failed,
        failures=tuple(str(failure) for failure in taken.failures[:FAILURES_REPORTED]),
        unavailable=reasons(taken.unavailable),
        acceptance=verdict.report,
        refused=verdict.refused,
        own_server=on_own_server(pointer.vectors),
        previous=previous,
    )
