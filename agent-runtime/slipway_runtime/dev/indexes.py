"""Indexes in the local driver: documents are ingested in this process, when they changed and when it is time."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway_crds.indexes.kind import VECTOR_INDEX
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.meta import INGEST_ANNOTATION
from slipway_crds.resolve import ingest_config
from slipway_crds.runtimeconfig import IngestConfig, IngestReport
from slipway_crds.schedules import InvalidSchedule, Schedule
from slipway_runtime.addresses import AddressRule
from slipway_runtime.dev.kinds import LocalKind, Outcome, Report
from slipway_runtime.dev.manifests import Items, Manifests, NamespacedName, key_of
from slipway_runtime.dev.parts import Parts
from slipway_runtime.dev.schedules import run_when_due
from slipway_runtime.knowledge.embedding.embedder import EmbeddingUnavailable, TextTooLong
from slipway_runtime.knowledge.ingestion.acceptance_cases import (
    AcceptanceCase,
    AcceptanceCasesInvalid,
    parse_acceptance_cases,
)
from slipway_runtime.knowledge.ingestion.ingestion import NoSourceAvailable, NothingToIngest
from slipway_runtime.knowledge.ingestion.serving import BuildNotKept, BuildOpening, run_ingestion
from slipway_runtime.knowledge.ingestion.sources import DocumentSource, ItemsSource
from slipway_runtime.knowledge.ingestion.sources.opening import SourcePlaces, open_sources
from slipway_runtime.knowledge.ingestion.uploads import uploads_of
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.store.database import StoreUnavailable

log = logging.getLogger(__name__)
ANYWHERE = AddressRule(loopback=True, private=True)
"""The machine's user wrote the manifests."""
PATIENCE_SECONDS = 10.0
"""The stores are files here: what does not work soon will not work later either."""


NOT_INGESTED = (
    NothingToIngest,
    NoSourceAvailable,
    TextTooLong,
    EmbeddingUnavailable,
    VectorsUnavailable,
    StoreUnavailable,
    AcceptanceCasesInvalid,
    BuildNotKept,
)


@dataclass(frozen=True)
class Index:
    """One index with what its sources hold. A source whose ConfigMap is not among the manifests is left out."""

    key: NamespacedName
    config: IngestConfig
    sources: Mapping[str, Items]
    """What its ConfigMaps hold, by source."""
    is_complete: bool
    """Whether all its ConfigMaps are there; if not, a warning has named them, and the index stays as it is."""
    schedule: Schedule | None = None
    requested: str = ""
    """Value of the annotation that starts an ingestion."""
    cases: bytes | None = None
    """What the ConfigMap of `spec.acceptance.cases` has; None if it lacks the key, or if there are no cases."""

    def acceptance_cases(self) -> tuple[AcceptanceCase, ...]:
        """The questions that a build has to find documents for.

        Raises:
            AcceptanceCasesInvalid: if they cannot be used.
        """
        name = self.config.acceptance.cases
        return () if name is None else parse_acceptance_cases(name, self.cases)

    @contextmanager
    def open(self, files: Path) -> Iterator[list[DocumentSource]]:
        """Its sources.

        Args:
            files: a folder with a folder for each source, with its credentials and certificates.
        """
        given = {name: ItemsSource(name, items) for name, items in self.sources.items()}
        with open_sources(self.config, SourcePlaces(folders=files, files=files, given=given, reach=ANYWHERE)) as opened:
            yield opened


class LocalIndexes:
    """Ingests what changed since it was ingested last."""

    def __init__(self, parts: Parts, _: str) -> None:
        self._parts = parts
        self._ingested: dict[NamespacedName, Index] = {}
        self._one_at_a_time = asyncio.Lock()
        self._waiting: asyncio.Task[None] | None = None

    def announce(self, manifests: Manifests) -> None:
        """Agents read what was ingested before."""
        self._parts.source_files.apply(manifests)
        self._parts.vectors.apply(manifests)

    async def make(self, manifests: Manifests, report: Report) -> list[Outcome]:
        due = [each for each in indexes_in(manifests) if self._ingested.get(each.key) != each and each.is_complete]
        if not due:
            return []
        try:
            async with self._one_at_a_time, self._parts.ingesting():
                return [await self._ingest(index, report) for index in due]
        except StoreUnavailable as error:
            return [Outcome("indexes", error=f"nothing was ingested: {error}")]

    def exchange(self, manifests: Manifests) -> None:
        """An ingestion ends with agents reading its result. From now on the schedules of these manifests count."""
        if self._waiting is not None:
            self._waiting.cancel()
        indexes = {index.key: index for index in indexes_in(manifests) if index.is_complete}
        schedules = {key: index.schedule for key, index in indexes.items() if index.schedule is not None}

        async def again(key: NamespacedName) -> None:
            async with self._one_at_a_time, self._parts.ingesting():
                outcome = await self._ingest(indexes[key], lambda *_: None)
            for words in filter(None, [outcome.error, *outcome.failures]):
                log.warning("%s: %s", outcome.subject, words)

        self._waiting = asyncio.create_task(run_when_due(schedules, again)) if schedules else None

    async def _ingest(self, index: Index, report: Report) -> Outcome:
        subject = f"index {index.key}"
        place = self._parts.vectors.chosen.of(index.key.name, index.config.vectors)
        dependencies, config = self._parts.dependencies, index.config.model_copy(update={"vectors": place})
        files = self._parts.source_files.of(index.key)
        opening = BuildOpening(
            dependencies.database,
            self._parts.embedders,
            dependencies.vectors,
            lambda: index.open(files),
            dependencies.texts,
        )
        try:
            with index.open(files) as sources:
                done = await run_ingestion(
                    config,
                    [*sources, *uploads_of(config, dependencies.database)],
                    opening,
                    cases=index.acceptance_cases(),
                    progress=lambda each: report(index.key, each),
                    patience=PATIENCE_SECONDS,
                )
        except NOT_INGESTED as error:
            return Outcome(subject, error=f"{subject} was not ingested: {error}")
        if not done.unavailable:
            self._ingested[index.key] = index
        return outcome_of(subject, done)


def outcome_of(subject: str, report: IngestReport) -> Outcome:
    """What an ingestion that ended reports."""
    made = f"{report.documents} documents, {report.chunks} chunks"
    if report.refused:
        refused = "; ".join(report.refused)
        return Outcome(subject, error=f"{subject} was not accepted, agents go on with the build before: {refused}")
    failures = (*report.unavailable, *report.failures)
    return Outcome(subject, made, failures=failures, failed=report.failed + len(report.unavailable))


def indexes_in(manifests: Manifests) -> list[Index]:
    """The indexes among the manifests, each with its documents."""
    return [_index(each, manifests.config_maps) for each in manifests.objects if isinstance(each, VectorIndex)]


def _index(index: VectorIndex, config_maps: Mapping[NamespacedName, Items]) -> Index:
    key = key_of(index)
    found = {
        source: config_maps.get(NamespacedName(key.namespace, name)) for source, name in index.spec.config_maps.items()
    }
    sources = {source: items for source, items in found.items() if items is not None}
    return Index(
        key=key,
        config=ingest_config(index),
        sources=sources,
        is_complete=len(sources) == len(found),
        schedule=_schedule(index),
        requested=(index.metadata.annotations or {}).get(INGEST_ANNOTATION, ""),
        cases=_cases(index, config_maps),
    )


def _cases(index: VectorIndex, config_maps: Mapping[NamespacedName, Items]) -> bytes | None:
    given = index.spec.acceptance.cases
    if given is None:
        return None
    ref = given.config_map_ref
    return config_maps.get(NamespacedName(index.metadata.namespace, ref.name), {}).get(ref.key)


def _schedule(index: VectorIndex) -> Schedule | None:
    given = index.spec.schedule
    try:
        return Schedule(given.cron, given.time_zone) if given is not None else None
    except InvalidSchedule:  # a finding of the manifests
        return None


ROW = LocalKind(VECTOR_INDEX, LocalIndexes)
