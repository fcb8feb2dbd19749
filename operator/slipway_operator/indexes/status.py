"""What a VectorIndex's status says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slipway_crds.contract import INDEX_LOST, NO_DOCUMENTS, NOT_ACCEPTED, REVISION_NOT_KEPT, SOURCE_UNAVAILABLE
from slipway_crds.meta import INGEST_ANNOTATION, SERVE_ANNOTATION
from slipway_crds.runtimeconfig import IngestReport
from slipway_operator.core.cache import Resource
from slipway_operator.core.conditions import Statement, Trouble, conditions, standing, timestamp
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.plan import observed_conditions
from slipway_operator.core.pod_trouble import PODS_REFUSED
from slipway_operator.indexes.ingest import SOURCES_ANNOTATION
from slipway_operator.indexes.ingestion import RETRY_SECONDS, IngestionRun, IngestionRuns

PROGRESS_SECONDS = 10.0
"""Between two looks at how far an ingestion is: its status is written no more often."""
LOOK_AGAIN_SECONDS = 10.0
REFUSED_LOOK_AGAIN_SECONDS = 30.0
"""While pods are refused. The first pod that is created ends the refusal at once, so this renews only the words."""
LOST = "The index's server has lost vectors, such as with its volume. An ingestion of all sources makes them again."
BUILD_FIELDS = (
    "activeRevision", "fingerprint", "documents", "chunks", "failed", "lastSyncedTime", "syncedSources", "previous",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class IndexStanding:
    """What the status is about."""

    resource: Resource
    runs: IngestionRuns
    missing_sources: Sequence[str]
    place: str
    """Where the vectors are; empty on the index's own server."""
    serving: bool
    trouble: Trouble | None
    store_problem: str
    progress: str
    lost: bool
    """Vectors of what agents read are missing on the server."""
    counting: bool
    """They are being counted, for the first time since the server started or the ingestion ended."""
    next_sync: float | None = None
    """When the schedule has the sources ingested next, in epoch seconds."""


def index_status(index: IndexStanding, *, now: float) -> tuple[JsonObject, float | None]:
    """The status, and in how many seconds it may have changed without an event."""
    build = _build(index)
    built = build.get("activeRevision") is not None
    synced = _synced(index)
    ready = _ready(index, built=built, synced=synced)
    pending = ready.reason in ("WaitingForSource", "WaitingForStore") or synced.reason == NO_DOCUMENTS
    progress = _progress(index, synced)
    statements, phase = standing(ready, trouble=index.trouble, progress=progress, waiting=pending)
    if ready.holds and phase == "Ready" and not synced.holds:
        phase = "Degraded"
    statements += [_resolved(index), _available(index), synced]
    status: JsonObject = {
        "observedGeneration": index.resource.generation,
        "phase": phase,
        **build,
        **_measured(index),
        "conditions": conditions(
            statements,
            observed=observed_conditions(index.resource),
            generation=index.resource.generation,
            now=now,
        ),
    }
    if index.next_sync is not None:
        status["nextSyncTime"] = timestamp(index.next_sync)
    if index.progress and _running(index) is not None:
        status["progress"] = index.progress[:128]
    return status, _wake_after(index, settled=bool(ready.holds) and phase == "Ready", now=now)


def _build(index: IndexStanding) -> dict[str, Any]:
    """What agents read now: the newest report, or, if its Job was deleted, what is already in the status."""
    run = index.runs.last
    if run is None or run.report is None:
        return {name: index.resource.status[name] for name in BUILD_FIELDS if name in index.resource.status}
    former = index.resource.status.get("lastSyncedTime")
    synced = former if run.report.unavailable else timestamp(run.state.finished)
    return {
        "activeRevision": run.report.revision,
        "fingerprint": run.report.fingerprint,
        "documents": run.report.documents,
        "chunks": run.report.chunks,
        "failed": run.report.failed,
        **({"lastSyncedTime": synced} if synced else {}),
        "syncedSources": run.job.annotations.get(SOURCES_ANNOTATION, ""),
        **_previous(run.report),
    }


def _previous(report: IngestReport) -> JsonObject:
    """The revision that may be served again."""
    kept = report.previous
    return {"previous": {"revision": kept.revision, "keptUntil": timestamp(kept.until)}} if kept is not None else {}


def _measured(index: IndexStanding) -> JsonObject:
    """What was measured of the newest revision that was made; what is known of it already, if nothing was."""
    for run in (index.runs.current, index.runs.last):
        report = run.said if run is not None else None
        if report is not None and report.acceptance is not None:
            figures = {"recall": report.acceptance.recall, "hitRate": report.acceptance.hit_rate}
            shown = {name: f"{figure:.3f}" for name, figure in figures.items() if figure is not None}
            return {"acceptance": {"revision": report.revision, "accepted": not report.refused, **shown}}
    known = index.resource.status.get("acceptance")
    return {"acceptance": known} if known is not None else {}


def _ready(index: IndexStanding, *, built: bool, synced: Statement) -> Statement:
    if built and index.lost:
        return Statement("Ready", False, INDEX_LOST, _lost(index, synced))
    if built and index.serving and index.counting and not _was_ready(index):
        return Statement("Ready", False, "WaitingForPods", "The vectors of the index are being counted.")
    if built and index.serving:
        return Statement("Ready", True, "Serving", "The index can be searched.")
    if not built and index.missing_sources:
        return Statement("Ready", False, "WaitingForSource", _missing(index))
    if not built and index.store_problem:
        return Statement("Ready", False, "WaitingForStore", index.store_problem)
    if index.trouble is not None:
        return Statement("Ready", False, index.trouble.reason, index.trouble.message)
    if not index.serving:
        return Statement("Ready", False, "WaitingForPods", "The index's server is not ready yet.")
    return Statement("Ready", False, synced.reason, synced.message)


def _synced(index: IndexStanding) -> Statement:
    """Whether the sources as they are now are in the index."""
    run = index.runs.current
    if index.missing_sources:
        return Statement("Synced", False, "WaitingForSource", _missing(index))
    if run is not None and run.refusal is not None:
        return _refused(index, run.refusal)
    if run is not None and run.report is not None:
        return _success(run) if not index.lost else Statement("Synced", False, INDEX_LOST, LOST)
    if run is None and not index.serving:
        said = "The ingestion starts when the index's server is ready."
        return Statement("Synced", False, "WaitingForPods", said)
    failure = run.failure if run is not None else None
    if (run is None or failure is None) and index.runs.repeated and index.runs.last is not None:
        return _success(index.runs.last)
    if run is None or failure is None:
        return Statement("Synced", False, "Ingesting", "An ingestion is running.")
    reason, words = failure
    if reason == REVISION_NOT_KEPT:
        return Statement("Synced", False, reason, words)
    if reason == NO_DOCUMENTS:
        return Statement("Synced", False, reason, f"{words} Put at least one document into a source.")
    again = (
        f"It is tried again {RETRY_SECONDS / 60:.0f} minutes after it failed."
        if run.state.failed
        else "It is being tried again."
    )
    return Statement("Synced", False, reason, f"{words} {again}")


def _refused(index: IndexStanding, report: IngestReport) -> Statement:
    last = index.runs.last.report if index.runs.last is not None else None
    reads = f"agents go on with {last.revision}" if last is not None else "agents have none to read"
    said = f"The revision {report.revision} is not accepted, {reads}: {'; '.join(report.refused)}."
    again = f"It is tried again after a change, or with another value of the annotation {INGEST_ANNOTATION}."
    return Statement("Synced", False, NOT_ACCEPTED, f"{said} {again}")


def _success(run: IngestionRun) -> Statement:
    report = run.report
    if report is not None and report.unavailable:
        named = "; ".join(report.unavailable)
        said = f"{named}. What the index has of it stays. It is tried again {RETRY_SECONDS / 60:.0f} minutes later."
        return Statement("Synced", False, SOURCE_UNAVAILABLE, said)
    if report is not None and report.served:
        said = (
            f"Agents read the revision {report.revision}, as the annotation {SERVE_ANNOTATION} says, with the"
            " sources as they are. Remove the annotation to go back to the revision that the spec describes."
        )
        return Statement("Synced", True, "ServingFormerRevision", said)
    if report is None or report.failed == 0:
        return Statement("Synced", True, "Synced", "Every document of the sources is in the index.")
    named = "; ".join(report.failures)
    more = f" and {report.failed - len(report.failures)} more" if report.failed > len(report.failures) else ""
    return Statement(
        "Synced", True, "SomeDocumentsFailed", f"{report.failed} documents could not be ingested: {named}{more}."
    )


def _progress(index: IndexStanding, synced: Statement) -> Statement | None:
    if _running(index) is not None and not index.runs.repeated:
        return Statement("Reconciling", True, "Ingesting", synced.message)
    if not index.serving and not index.missing_sources:
        return Statement("Reconciling", True, "WaitingForPods", "The index's server is starting.")
    if synced.reason == "Ingesting":
        return Statement("Reconciling", True, "Ingesting", synced.message)
    return None


def _running(index: IndexStanding) -> IngestionRun | None:
    run = index.runs.current or index.runs.unfinished
    return run if run is not None and not run.finished else None


def _resolved(index: IndexStanding) -> Statement:
    if index.missing_sources:
        return Statement("Resolved", False, "WaitingForSource", _missing(index))
    return Statement("Resolved", True, "Resolved", "Everything that the VectorIndex refers to exists.")


def _available(index: IndexStanding) -> Statement:
    if index.serving:
        said = f"The vectors are in {index.place}." if index.place else "The index's server is ready."
        return Statement("Available", True, "Available", said)
    if index.trouble is not None:
        return Statement("Available", False, index.trouble.reason, index.trouble.message)
    return Statement("Available", False, "WaitingForPods", "The index's server is not ready yet.")


def _lost(index: IndexStanding, synced: Statement) -> str:
    if index.store_problem and _running(index) is None:
        return f"{LOST} This is held up: {index.store_problem}"
    return LOST if synced.reason in (INDEX_LOST, "Ingesting") else f"{LOST} This is held up: {synced.message}"


def _was_ready(index: IndexStanding) -> bool:
    """What was ready stays so while it is counted, such as after a restart of the operator."""
    observed = observed_conditions(index.resource)
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in observed)


def _missing(index: IndexStanding) -> str:
    names = ", ".join(index.missing_sources)
    return (
        f"there is no ConfigMap {names} in namespace {index.resource.key.namespace}: "
        "apply it, or correct its name in the spec"
    )


def _wake_after(index: IndexStanding, *, settled: bool, now: float) -> float | None:
    due = max(1.0, index.next_sync - now) if index.next_sync is not None else None
    otherwise = _otherwise(index, settled=settled, now=now)
    return min((each for each in (due, otherwise) if each is not None), default=None)


def _otherwise(index: IndexStanding, *, settled: bool, now: float) -> float | None:
    running = _running(index)
    if running is not None and running.running_pod is not None:
        return PROGRESS_SECONDS
    current = index.runs.current
    if current is not None and (current.state.failed or (current.report is not None and current.report.unavailable)):
        return max(1.0, current.state.finished + RETRY_SECONDS - now)
    if index.trouble is not None and index.trouble.reason == PODS_REFUSED:
        return REFUSED_LOOK_AGAIN_SECONDS
    return None if settled else LOOK_AGAIN_SECONDS
