"""`slipway ingest`: what an ingestion Job's pod runs.

It reports as Kubernetes lets a pod report that may not call its API: in its termination message, read by the operator.
On success that is an IngestReport as JSON; on failure `Reason: words`. `GET /progress` says how far a running one is.
Of the pods that do an ingestion together, the one that publishes reports.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial

import orjson
from aiohttp import web

from slipway_crds.contract import (
    INGESTION_FAILED,
    NO_DOCUMENTS,
    PROGRESS,
    PROGRESS_TEXT,
    REVISION_NOT_KEPT,
    SOURCE_UNAVAILABLE,
)
from slipway_crds.runtimeconfig import IngestConfig, IngestReport
from slipway_runtime.knowledge.documents.opening import TextStores
from slipway_runtime.knowledge.embedding.embedder import EmbeddingUnavailable, TextTooLong
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.embedding.model_files import ModelMissing
from slipway_runtime.knowledge.embedding.opening import Embedders
from slipway_runtime.knowledge.ingestion.acceptance_cases import AcceptanceCasesInvalid, read_acceptance_cases
from slipway_runtime.knowledge.ingestion.ingestion import (
    IngestionProgress,
    NoSourceAvailable,
    NothingToIngest,
)
from slipway_runtime.knowledge.ingestion.patience import PATIENCE, patiently
from slipway_runtime.knowledge.ingestion.purging import purge_index
from slipway_runtime.knowledge.ingestion.serving import BuildNotKept, BuildOpening, run_share
from slipway_runtime.knowledge.ingestion.sources.opening import SourcePlaces, open_sources
from slipway_runtime.knowledge.ingestion.uploads import uploads_of
from slipway_runtime.knowledge.vectors.contract import VectorsFull, VectorsRefused, VectorStore, VectorsUnavailable
from slipway_runtime.knowledge.vectors.servers import VectorServers
from slipway_runtime.settings import IngestSettings
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.deferred import read_dsn
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.shards import IngestionSuperseded, Shard, ShardedProgress, read_progress
from slipway_runtime.store.texts import OpenTexts, TextsRefused
from slipway_runtime.telemetry.logging import configure_logging
from slipway_runtime.telemetry.tracing import configure_tracing, span

log = logging.getLogger(__name__)
TERMINATION_BYTES = 4096
"""Kubernetes keeps no more of a termination message."""


@dataclass
class ProgressBoard:
    """How far the ingestion is."""

    progress: IngestionProgress = field(default_factory=IngestionProgress)
    whole: Callable[[], Awaitable[ShardedProgress]] | None = None
    """How far all shards are together; None if the ingestion has none."""

    def set(self, progress: IngestionProgress) -> None:
        """Called by the ingestion."""
        self.progress = progress

    def add_up(self, database: Database, index: str, shard: Shard | None) -> None:
        """From now on say how far all shards are, if there are several."""
        self.whole = partial(read_progress, database, index, shard) if shard is not None else None

    async def endpoint(self, _: web.Request) -> web.Response:
        """`GET /progress`."""
        said: IngestionProgress | ShardedProgress = self.progress
        if self.whole is not None:
            with suppress(StoreUnavailable):
                said = await self.whole()
        return web.json_response({**asdict(said), PROGRESS_TEXT: str(said)})


class IngestionFailed(Exception):
    """The ingestion could not be done. `reason` is a stable word, the message says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def report_message(report: IngestReport) -> str:
    """The report as JSON, with as many failures as a termination message holds."""
    while len(report.model_dump_json().encode()) > TERMINATION_BYTES and report.failures:
        report = report.model_copy(update={"failures": report.failures[:-1]})
    while len(report.model_dump_json().encode()) > TERMINATION_BYTES:
        report = report.model_copy(update={"unavailable": report.unavailable[:-1]})
    return report.model_dump_json()


def failure_message(error: IngestionFailed) -> str:
    """The failure in words, cut to what a termination message holds."""
    return f"{error.reason}: {error}".encode()[:TERMINATION_BYTES].decode(errors="ignore")


async def _open(settings: IngestSettings, patience: float) -> Database:
    async def step() -> Database:
        return await open_database(read_dsn(settings.store_dsn_file))

    return await patiently(step, seconds=patience)


async def _purge(
    config: IngestConfig, database: Database, vectors: VectorStore, texts: OpenTexts, patience: float
) -> IngestReport:
    """Delete what an ingestion has made. The report is of an index that has nothing."""
    index, documents = f"{config.namespace}/{config.index}", config.documents
    await patiently(
        lambda: purge_index(index, database=database, vectors=vectors, texts=texts, documents=documents),
        seconds=patience,
    )
    return IngestReport(revision="", fingerprint="", documents=0, chunks=0, failed=0)


def shard_of(settings: IngestSettings) -> Shard | None:
    """The shard that this process does; None if it does everything."""
    return Shard(settings.ingestion, settings.shard, settings.shards) if settings.shards > 1 else None


def shard_message(settings: IngestSettings) -> str:
    """What a process says that did its shard and published nothing. It is no report."""
    return orjson.dumps({"shard": settings.shard, "of": settings.shards}).decode()


async def ingest(settings: IngestSettings, board: ProgressBoard, *, patience: float = PATIENCE) -> IngestReport | None:
    """Do the ingestion that the settings describe, or a shard of it.

    Returns:
        The report; None if another process publishes.

    Raises:
        IngestionFailed: if it cannot be done.
    """
    config = IngestConfig.model_validate_json(settings.config.read_bytes())
    places = SourcePlaces(folders=settings.sources, files=settings.source_files)
    servers: VectorServers | None = None
    try:
        embedder = MiniLM(settings.model_dir, workers=os.cpu_count() or 1)
        embedders = Embedders(
            embedder,
            connections=lambda _: settings.connections,
            models=lambda _, config: settings.sentence_models / config.model,
            workers=os.cpu_count() or 1,
        )
        database = await _open(settings, patience)
        servers = VectorServers(settings.chroma_url, store=database, connections=settings.connections)
        texts = TextStores(database, connections=lambda _: settings.connections)
        try:
            if config.purge:
                index = f"{config.namespace}/{config.index}"
                return await _purge(config, database, servers(index, config.vectors), texts, patience)
            opening = BuildOpening(database, embedders, servers, lambda: open_sources(config, places), texts)
            shard = shard_of(settings)
            board.add_up(database, f"{config.namespace}/{config.index}", shard)
            with span("ingestion"), open_sources(config, places) as sources:
                return await run_share(
                    config,
                    [*sources, *uploads_of(config, database)],
                    opening,
                    shard,
                    cases=read_acceptance_cases(settings.acceptance, config.acceptance.cases),
                    progress=board.set,
                    patience=patience,
                )
        finally:
            board.whole = None
            await texts.close()
            await database.close()
            await embedders.close()
            await embedder.close()
    except NoSourceAvailable as error:
        raise IngestionFailed(SOURCE_UNAVAILABLE, str(error)) from error
    except BuildNotKept as error:
        raise IngestionFailed(REVISION_NOT_KEPT, str(error)) from error
    except NothingToIngest as error:
        raise IngestionFailed(NO_DOCUMENTS, str(error)) from error
    except VectorsFull as error:
        raise IngestionFailed(INGESTION_FAILED, f"the index's volume has no room left: {error}") from error
    except (VectorsRefused, TextsRefused) as error:
        raise IngestionFailed(INGESTION_FAILED, str(error)) from error
    except (StoreUnavailable, VectorsUnavailable) as error:
        raise IngestionFailed(INGESTION_FAILED, f"gave up after {patience:.0f} s: {error}") from error
    except (
        ModelMissing, TextTooLong, EmbeddingUnavailable, AcceptanceCasesInvalid, IngestionSuperseded,
    ) as error:  # fmt: skip
        raise IngestionFailed(INGESTION_FAILED, str(error)) from error
    finally:
        if servers is not None:
            await servers.close()


async def run(settings: IngestSettings) -> int:
    """Serve the progress, ingest, leave the message. Returns the exit status."""
    board = ProgressBoard()
    app = web.Application()
    app.router.add_get(PROGRESS, board.endpoint)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=settings.port).start()
    try:
        report = await ingest(settings, board)
    except IngestionFailed as error:
        log.error("ingestion failed", extra={"reason": error.reason, "detail": str(error)})
        settings.termination_file.write_text(failure_message(error))
        return 1
    finally:
        await runner.cleanup()
    if report is None:
        settings.termination_file.write_text(shard_message(settings))
        return 0
    log.info("ingested", extra=report.model_dump(include={"revision", "documents", "chunks", "failed"}))
    settings.termination_file.write_text(report_message(report))
    return 0


def main() -> int:
    """Set the process up and run. Settings come from the environment."""
    configure_logging("ingest")
    flush = configure_tracing("slipway-ingest")
    try:
        return asyncio.run(run(IngestSettings.from_environment()))
    finally:
        flush()
