"""Embeds what people upload, in the hosts of the agents that read the index: they have the store and the model.

One host works on an index at a time. What a host that died left is taken up by the next.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from slipway_crds.runtimeconfig import IngestConfig
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.knowledge.embedding.embedder import EmbeddingUnavailable, TextTooLong
from slipway_runtime.knowledge.ingestion.fingerprint import fingerprint, revision_name
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.ingestion.uploads import UploadSource, all_uploads
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.store.database import Database
from slipway_runtime.store.locks import give_lock, take_lock
from slipway_runtime.store.uploads import indexes_behind

EVERY_SECONDS = 5.0
"""How long an upload to another host may go unnoticed."""
EMBEDDING = "embedding"
LOCK_SECONDS = 120.0
"""After which the host that embeds counts as dead."""
RENEW_SECONDS = 30.0
PATIENCE_SECONDS = 20.0
log = logging.getLogger(__name__)


class UploadEmbedding:
    """Brings the indexes of a host's agents up to date with what was uploaded.

    Args:
        owner: of locks: this process.
        agents: the host's agents now.
    """

    def __init__(self, database: Database, *, owner: str, agents: Callable[[], Mapping[str, HostedAgent]]) -> None:
        self._database = database
        self._owner = owner
        self._agents = agents
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was uploaded here."""
        self._woken.set()

    async def wait(self) -> None:
        """Until it is time to look."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):
                await self._woken.wait()
        self._woken.clear()

    async def embed(self) -> None:
        """Do what is to be done now.

        Raises:
            StoreUnavailable: if the store is unavailable.
        """
        readers = {
            f"{hosted.config.namespace}/{entry.index}": hosted
            for hosted in self._agents().values()
            if hosted.dependencies is not None
            for entry in hosted.config.knowledge
        }
        for index, revision, config in await indexes_behind(self._database, sorted(readers)):
            await self._embed(readers[index], index, revision, IngestConfig.model_validate_json(config))

    async def _embed(self, hosted: HostedAgent, index: str, revision: str, config: IngestConfig) -> None:
        dependencies = hosted.dependencies
        assert dependencies is not None
        embedder = dependencies.embedder_of(index, config.embedding)
        try:  # apart, since a model in files is loaded
            made_of = await asyncio.to_thread(fingerprint, config, embedder)
        except EmbeddingUnavailable as error:
            log.warning("uploads wait", extra={"index": index, "detail": str(error)})
            return
        made_so = revision_name(made_of, config) == revision
        if config.uploads is None or not made_so:  # another version's build: its hosts see to it
            return
        lock = (self._database, index, EMBEDDING)
        if not await take_lock(*lock, owner=self._owner, seconds=LOCK_SECONDS):
            return
        renewing = asyncio.create_task(self._renew(index))
        try:
            ingestion = Ingestion(
                config,
                database=self._database,
                vectors=dependencies.vectors(index, config.vectors),
                embedder=embedder,
                patience=PATIENCE_SECONDS,
                owner=self._owner,
                texts=dependencies.texts,
            )
            failed = {each.name async for each in all_uploads(self._database, index) if each.reason is not None}
            await ingestion.update(UploadSource(self._database, index, again=False), kept=failed)
        except (VectorsUnavailable, TextTooLong, EmbeddingUnavailable) as error:
            log.warning("uploads wait", extra={"index": index, "detail": str(error)})
        finally:
            renewing.cancel()
            await give_lock(*lock, owner=self._owner)

    async def _renew(self, index: str) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await take_lock(self._database, index, EMBEDDING, owner=self._owner, seconds=LOCK_SECONDS)
