"""Builds of an index that are not the one its spec describes: one that is to be served again, and the one that agents
read while another is made."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

from slipway_crds.runtimeconfig import EmbeddingConfig, IngestConfig, IngestReport
from slipway_runtime.knowledge.embedding.embedder import EmbeddingUnavailable, TextTooLong
from slipway_runtime.knowledge.embedding.opening import MINILM, OpenEmbedder
from slipway_runtime.knowledge.ingestion.acceptance import Acceptance
from slipway_runtime.knowledge.ingestion.acceptance_cases import AcceptanceCase
from slipway_runtime.knowledge.ingestion.fingerprint import fingerprint, revision_name
from slipway_runtime.knowledge.ingestion.ingestion import (
    Ingestion,
    IngestionProgress,
    NoSourceAvailable,
    NothingToIngest,
    nothing_meanwhile,
)
from slipway_runtime.knowledge.ingestion.sharding import ShardOfIngestion
from slipway_runtime.knowledge.ingestion.sources import DocumentSource
from slipway_runtime.knowledge.vectors.contract import OpenVectors, VectorsUnavailable
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.former_builds import former_builds
from slipway_runtime.store.pointers import IndexPointer, read_pointer
from slipway_runtime.store.shards import Shard
from slipway_runtime.store.texts import OpenTexts

log = logging.getLogger(__name__)
PREVIOUS = "previous"
FOLLOW_SECONDS = 60.0
"""After which the build that agents read is brought up to date while another is made."""
FOLLOW_SERVERS_SECONDS = 600.0
"""Likewise if a source is on a server: it is listed each time."""
PATIENCE_SECONDS = 10.0
"""The other build does not wait longer for the stores of the one that agents read."""
OpenSources = Callable[[], AbstractContextManager[Sequence[DocumentSource]]]
INSTEAD = "put its settings back into the spec: while it is kept, nothing is embedded again"


class BuildNotKept(Exception):
    """A build cannot be served again; the message says why, and what to do instead."""


async def config_to_serve(config: IngestConfig, *, database: Database, embedders: OpenEmbedder) -> IngestConfig:
    """What an ingestion does for the build that `config.serve` names; the same config if it names none.

    `previous` is the build that agents read before the one of the spec. It stays that one when it is served.

    Raises:
        BuildNotKept: if there is no such build, or agents could not read it.
        StoreUnavailable: if the store is unavailable.
    """
    if not config.serve:
        return config
    index = f"{config.namespace}/{config.index}"
    own = revision_of(config, embedders)
    pointer = await read_pointer(database, index)
    kept = [each.pointer for each in await former_builds(database, index)]
    found = [each for each in [*([pointer] if pointer is not None else []), *kept] if each.revision != own]
    if config.serve != PREVIOUS:
        found = [each for each in found if each.revision == config.serve]
    if not found:
        what = "no build was served before" if config.serve == PREVIOUS else f"there is no build {config.serve}"
        raise BuildNotKept(f"{what}, or it is not kept any more (spec.revisions.keepFor): remove the annotation")
    return config_of(found[0], config, embedders)


def revision_of(config: IngestConfig, embedders: OpenEmbedder) -> str:
    """Name of the build that an ingestion makes."""
    embedder = embedders(f"{config.namespace}/{config.index}", config.embedding)
    return revision_name(fingerprint(config, embedder), config)


def config_of(pointer: IndexPointer, now: IngestConfig, embedders: OpenEmbedder) -> IngestConfig:
    """What an ingestion does to bring a build up to date that was made by another spec: its own model, chunks and
    place, and what the spec says now about everything else.

    Raises:
        BuildNotKept: if pods do not have what leads to its vectors or its model, or another version made it.
    """
    if not pointer.config:
        raise BuildNotKept(f"an earlier version made the build {pointer.revision}: {INSTEAD}")
    was = IngestConfig.model_validate_json(pointer.config)
    own = ("max_tokens", "overlap", "vectors", "embedding", "documents")
    made = {name: getattr(was, name) for name in own}
    config = now.model_copy(update={**made, "serve": ""})
    if was.vectors.connection not in (None, now.vectors.connection):
        raise BuildNotKept(f"the spec no longer connects to the vectors of the build {pointer.revision}: {INSTEAD}")
    if was.documents.connection not in (None, now.documents.connection):
        raise BuildNotKept(f"the spec no longer connects to the texts of the build {pointer.revision}: {INSTEAD}")
    if was.embedding != MINILM and _reached_by(was.embedding) != _reached_by(now.embedding):
        raise BuildNotKept(f"the spec no longer names the embedding model of {pointer.revision}: {INSTEAD}")
    if revision_of(config, embedders) != pointer.revision:
        raise BuildNotKept(f"another version of Slipway made the build {pointer.revision}, and cannot add to it")
    return config


@dataclass(frozen=True)
class BuildOpening:
    """What builds of an index are made with, whichever model they have and wherever they are.

    Args:
        sources: opens the sources once more, apart from those that an ingestion is given.
        texts: gives the place of texts, where that is not the store.
    """

    database: Database
    embedders: OpenEmbedder
    vectors: OpenVectors
    sources: OpenSources
    texts: OpenTexts | None = None

    def ingestion(self, config: IngestConfig, **more: Any) -> Ingestion:
        """An ingestion of a build. What else is given goes to `Ingestion`."""
        index = f"{config.namespace}/{config.index}"
        return Ingestion(
            config,
            database=self.database,
            vectors=self.vectors(index, config.vectors),
            embedder=self.embedders(index, config.embedding),
            places=self.vectors,
            texts=self.texts,
            **more,
        )


async def run_ingestion(
    config: IngestConfig,
    sources: Sequence[DocumentSource],
    opening: BuildOpening,
    *,
    cases: Sequence[AcceptanceCase],
    progress: Callable[[IngestionProgress], None],
    patience: float,
) -> IngestReport:
    """Make the build that the spec describes, and have agents read it if it is accepted; or have them read the one that
    `config.serve` names. See `Ingestion.run`.

    Raises:
        BuildNotKept: if that one cannot be served.
        as `Ingestion.run` does.
    """
    report = await run_share(config, sources, opening, None, cases=cases, progress=progress, patience=patience)
    assert report is not None, "who does it alone publishes"
    return report


async def run_share(
    config: IngestConfig,
    sources: Sequence[DocumentSource],
    opening: BuildOpening,
    shard: Shard | None,
    *,
    cases: Sequence[AcceptanceCase],
    progress: Callable[[IngestionProgress], None],
    patience: float,
) -> IngestReport | None:
    """What one of several processes does of that; all of it without a shard.

    Returns:
        The report; None if another process publishes.

    Raises:
        IngestionSuperseded: if another ingestion of the index has begun since.
        as `run_ingestion` does.
    """
    serve = await config_to_serve(config, database=opening.database, embedders=opening.embedders)
    own = revision_of(config, opening.embedders)
    served = ServedBuild(config, opening, making=revision_of(serve, opening.embedders))

    def make(part: Shard | None, progress: Callable[[IngestionProgress], None]) -> Ingestion:
        return opening.ingestion(
            serve,
            progress=progress,
            patience=patience,
            acceptance=None if config.serve else Acceptance(config.acceptance, cases),
            kept=frozenset({own}),
            meanwhile=served.follow if part is None or part.number == 0 else nothing_meanwhile,
            shard=part,
        )

    try:
        if shard is None:
            report = await make(None, progress).run(sources)
        else:
            index = f"{config.namespace}/{config.index}"
            sharing = ShardOfIngestion(shard, index, opening.database, make, progress, patience)
            shared = await sharing.run(sources)
            if shared is None:
                return None
            report = shared
    finally:
        served.close()
    return report.model_copy(update={"served": config.serve})


def _reached_by(embedding: EmbeddingConfig) -> tuple[str | None, ...]:
    """What pods have to have for it: the way to a service, or the files of a model."""
    files = (embedding.model, embedding.graph_digest, embedding.precision) if embedding.provider == "onnx" else ()
    service = (embedding.base_url, embedding.project, embedding.location, embedding.key)
    return (embedding.provider, *service, *files)


class ServedBuild:
    """The build that agents read, while another one is made: changes of the sources reach both.

    Args:
        config: of the one that is made.
        making: name of the one that is brought up to date instead of it, because it is to be served.
        every: seconds between two looks at the sources; None: as it fits them.
    """

    def __init__(
        self, config: IngestConfig, opening: BuildOpening, *, making: str = "", every: float | None = None
    ) -> None:
        self._config = config
        self._making = making
        self._opening = opening
        served = any(each.git or each.http or each.object_store for each in config.sources)
        self._every = (FOLLOW_SERVERS_SECONDS if served else FOLLOW_SECONDS) if every is None else every
        self._due = time.monotonic() + self._every
        self._opened: Sequence[DocumentSource] | None = None
        self._stack = ExitStack()

    async def follow(self) -> None:
        """Bring it up to date if it is time. What is in the way is logged: the other build goes on."""
        if time.monotonic() < self._due:
            return
        index = f"{self._config.namespace}/{self._config.index}"
        try:
            pointer = await read_pointer(self._opening.database, index)
            made = {self._making, revision_of(self._config, self._opening.embedders)}
            if pointer is not None and pointer.revision not in made:
                await self._bring_up_to_date(pointer)
        except BuildNotKept as error:
            log.info("the served build stays as it is", extra={"index": index, "detail": str(error)})
        except (NothingToIngest, NoSourceAvailable, EmbeddingUnavailable, TextTooLong) as error:
            log.warning("the served build stays as it is", extra={"index": index, "detail": str(error)})
        except (StoreUnavailable, VectorsUnavailable) as error:
            log.warning("the served build could not be written", extra={"index": index, "detail": str(error)})
        self._due = time.monotonic() + self._every

    async def _bring_up_to_date(self, pointer: IndexPointer) -> None:
        config = config_of(pointer, self._config, self._opening.embedders)
        if self._opened is None:
            self._opened = self._stack.enter_context(self._opening.sources())
        ingestion = self._opening.ingestion(config, patience=PATIENCE_SECONDS)
        await ingestion.follow(self._opened)

    def close(self) -> None:
        """Remove what was fetched from sources."""
        self._stack.close()
