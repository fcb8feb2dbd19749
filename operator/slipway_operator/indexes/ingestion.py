"""Which ingestion runs, which is over, and what it said.

One ingestion of an index at a time: an older one that ends later would bring older documents back. A changed spec
stops the one that runs; a changed source lets it finish, so that an author who saves often does not starve the index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from slipway_crds.contract import INGESTION_FAILED, NO_DOCUMENTS, REVISION_NOT_KEPT, SOURCE_UNAVAILABLE
from slipway_crds.meta import GROUP
from slipway_crds.runtimeconfig import IngestReport
from slipway_operator.core.objects import JOB, POD
from slipway_operator.core.plan import Annotate, Delete
from slipway_operator.core.pod_trouble import last_words
from slipway_operator.core.projections import Child, JobState, PodState
from slipway_operator.indexes.ingest import EXPIRED_ANNOTATION, SOURCES_ANNOTATION, SPEC_ANNOTATION, IngestSpec

REPORT_ANNOTATION = f"{GROUP}/report"
"""On a Job: its pod's termination message, which would be lost with the pod."""
RETRY_SECONDS = 300.0
"""From the end of a failed Job to the next one, until a source or the spec changes."""
LASTING = (NO_DOCUMENTS, REVISION_NOT_KEPT)
"""Reasons of failures that only an edit ends."""
REPORT_GRACE_SECONDS = 60.0
"""A Job that succeeded and whose report is nowhere to be found after this is run again."""


@dataclass(frozen=True)
class IngestionRun:
    """One Job, with its pods."""

    job: Child
    state: JobState
    pods: tuple[Child, ...]

    @property
    def finished(self) -> bool:
        return self.state.succeeded or self.state.failed

    @property
    def report(self) -> IngestReport | None:
        """What it reported, once it has succeeded and agents read what it made."""
        return self.said if self.said is not None and not self.said.refused else None

    @property
    def refusal(self) -> IngestReport | None:
        """What it reported, if agents do not read what it made."""
        return self.said if self.said is not None and self.said.refused else None

    @cached_property
    def said(self) -> IngestReport | None:
        """What it reported, once it has ended well."""
        texts = [self.job.annotations.get(REPORT_ANNOTATION, ""), *(pod.ended[2] for pod in self._pod_states())]
        for text in texts if self.state.succeeded else ():
            try:
                return IngestReport.model_validate_json(text)
            except ValidationError:
                continue
        return None

    @property
    def failure(self) -> tuple[str, str] | None:
        """Reason and words of its last failure, while it has not succeeded."""
        if self.state.succeeded or not (self.state.failed or self.state.failures):
            return None
        words = [pod.ended[2] for pod in self._pod_states() if pod.phase == "Failed" and pod.ended[2]]
        if not words:
            return INGESTION_FAILED, self.state.message or "The ingestion's pod failed without a word."
        reason, separator, said = words[-1].partition(": ")
        if separator and reason in (*LASTING, INGESTION_FAILED, SOURCE_UNAVAILABLE):
            return reason, said.strip()
        return INGESTION_FAILED, last_words(words[-1])

    @property
    def running_pod(self) -> PodState | None:
        return next((pod for pod in self._pod_states() if pod.phase == "Running" and pod.ip), None)

    def _pod_states(self) -> list[PodState]:
        ordered = sorted(self.pods, key=lambda pod: (pod.created, pod.name))
        return [pod.detail for pod in ordered if isinstance(pod.detail, PodState)]


@dataclass(frozen=True, kw_only=True)
class IngestionRuns:
    """All ingestions of an index. `current` is of the spec and the sources as they are now."""

    current: IngestionRun | None
    others: tuple[IngestionRun, ...]
    leaving: bool
    """A Job is being deleted: nothing may start yet."""
    wanted: IngestSpec | None = None

    @property
    def last(self) -> IngestionRun | None:
        """The newest that succeeded: what agents read."""
        done = [run for run in (self.current, *self.others) if run is not None and run.report is not None]
        return max(done, key=lambda run: run.state.finished, default=None)

    @property
    def repeated(self) -> bool:
        """What agents read was made by the same spec, and of the same versions as far as the operator sees them: an
        ingestion now only looks whether something has changed elsewhere."""
        if self.last is None or self.wanted is None:
            return False
        annotations = self.last.job.annotations
        made_of = annotations.get(SPEC_ANNOTATION), annotations.get(SOURCES_ANNOTATION)
        return made_of == (self.wanted.config.digest(), self.wanted.sources_hash)

    @property
    def unfinished(self) -> IngestionRun | None:
        """An older one that still runs."""
        return next((run for run in self.others if not run.finished), None)


def runs_of(children: Sequence[Child], current: IngestSpec | None) -> IngestionRuns:
    """The ingestions among an index's children."""
    pods = [child for child in children if child.kind == POD.name and isinstance(child.detail, PodState)]
    jobs = [child for child in children if child.kind == JOB.name]
    runs = [
        IngestionRun(
            job,
            job.detail,
            tuple(pod for pod in pods if isinstance(pod.detail, PodState) and pod.detail.job == job.name),
        )
        for job in jobs
        if isinstance(job.detail, JobState) and not job.deleting
    ]
    name = current.name if current is not None else ""
    return IngestionRuns(
        current=next((run for run in runs if run.job.name == name), None),
        others=tuple(run for run in runs if run.job.name != name),
        leaving=any(job.deleting for job in jobs),
        wanted=current,
    )


def may_start(runs: IngestionRuns) -> bool:
    """Whether the current ingestion can be started."""
    return runs.current is None and runs.unfinished is None and not runs.leaving


def to_stop(
    runs: IngestionRuns, current: IngestSpec | None, *, outdated: bool, in_trouble: bool, now: float
) -> list[Delete]:
    """Jobs to be deleted: in the way, out of date, failed long enough ago, or of no more interest.

    `outdated`: the current Job was made with another image or other settings than today's. `in_trouble`: its pod
    cannot start.
    """
    stop = []
    unfinished = runs.unfinished
    if unfinished is not None and current is not None:
        respecified = unfinished.job.annotations.get(SPEC_ANNOTATION) != current.config.digest()
        if respecified or unfinished.failure is not None or in_trouble:
            stop.append(Delete(child=unfinished.job, foreground=True))
    keep = runs.last
    if runs.current is not None:
        stop += [Delete(child=run.job) for run in runs.others if run.finished and run is not keep]
        if _to_repeat(runs.current, outdated=outdated, in_trouble=in_trouble, now=now):
            stop.append(Delete(child=runs.current.job, foreground=True))
    return stop


def _to_repeat(run: IngestionRun, *, outdated: bool, in_trouble: bool, now: float) -> bool:
    if run.state.failed:
        reason = (run.failure or ("", ""))[0]
        return reason not in LASTING and now >= run.state.finished + RETRY_SECONDS
    if run.refusal is not None:
        return False
    if run.state.succeeded:
        if run.report is not None and run.report.unavailable:
            return outdated or now >= run.state.finished + RETRY_SECONDS
        return run.report is None and now >= run.state.finished + REPORT_GRACE_SECONDS
    return outdated and (in_trouble or run.failure is not None)


def to_keep(runs: IngestionRuns) -> list[Annotate]:
    """Reports, kept on the Jobs, since pods of finished Jobs may be collected at any time."""
    kept = [runs.last, *([runs.current] if runs.current is not None and runs.current.refusal is not None else [])]
    return [
        Annotate(child=run.job, annotations={REPORT_ANNOTATION: run.said.model_dump_json(exclude_defaults=True)})
        for run in kept
        if run is not None and run.said is not None and REPORT_ANNOTATION not in run.job.annotations
    ]


def expired_of(children: Sequence[Child], *, now: float) -> str:
    """The former revision that the newest ingestion has kept, or one before it, once its time is over."""
    last = runs_of(children, None).last
    if last is None:
        return ""
    previous = last.report.previous if last.report is not None else None
    if previous is not None and now >= previous.until:
        return f"{previous.revision}@{previous.until:.0f}"
    return last.job.annotations.get(EXPIRED_ANNOTATION, "")
