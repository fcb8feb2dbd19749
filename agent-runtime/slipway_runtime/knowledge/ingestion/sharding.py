"""One of the processes that do an ingestion together: it takes its shard, and publishes if that was the last one.

Whoever publishes lists the sources again and does what an ingestion of one process does. So it takes what changed since
the shards were listed, and removes what left the sources, once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from slipway_crds.runtimeconfig import IngestReport
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion, IngestionProgress
from slipway_runtime.knowledge.ingestion.patience import patiently
from slipway_runtime.knowledge.ingestion.sources import DocumentSource
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.shards import Shard, begin_shard, complete_shard, note_progress, unread_documents

NOTE_SECONDS = 5.0
"""Between two notes of how far a shard is. The operator asks every ten."""

T = TypeVar("T")


class MakeIngestion(Protocol):
    """Makes the ingestion of a shard; without one, that of all documents."""

    def __call__(self, part: Shard | None, progress: Callable[[IngestionProgress], None], /) -> Ingestion:
        """One that has not begun, and what it calls whenever it has got further."""
        ...


@dataclass
class ShardOfIngestion:
    """One process's part of an ingestion."""

    shard: Shard
    index: str
    """`namespace/name`."""
    database: Database
    make: MakeIngestion
    progress: Callable[[IngestionProgress], None]
    """Called whenever the shard has got further."""
    patience: float
    """Seconds for which a store that is unavailable is asked again."""
    _now: IngestionProgress = field(default_factory=IngestionProgress, init=False)

    async def run(self, sources: Sequence[DocumentSource]) -> IngestReport | None:
        """Do it. It may be done again after a kill.

        Returns:
            The report, of the process that published; None from the others.

        Raises:
            IngestionSuperseded: if another ingestion of the index has begun since.
            as `Ingestion.run` does.
        """
        standing = await self._patiently(lambda: begin_shard(self.database, self.index, self.shard))
        if not standing.complete:
            async with self._noting():
                unread = await self.make(self.shard, self._further).take_share(sources)
            await self._patiently(self._note)
            standing = await self._patiently(lambda: complete_shard(self.database, self.index, self.shard, unread))
        if standing.publisher != self.shard.number:
            return None
        known = await self._patiently(lambda: unread_documents(self.database, self.index, self.shard))
        return await self.make(None, lambda progress: None).run(sources, unread=known)

    def _further(self, progress: IngestionProgress) -> None:
        self._now = progress
        self.progress(progress)

    async def _note(self) -> None:
        now = self._now
        await note_progress(self.database, self.index, self.shard, done=now.done, total=now.total, chunks=now.chunks)

    @asynccontextmanager
    async def _noting(self) -> AsyncIterator[None]:
        """Note meanwhile how far it is."""

        async def note_forever() -> None:
            while True:
                with suppress(StoreUnavailable):
                    await self._note()
                await asyncio.sleep(NOTE_SECONDS)

        notes = asyncio.create_task(note_forever())
        try:
            yield
        finally:
            notes.cancel()
            with suppress(asyncio.CancelledError):
                await notes

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        return await patiently(step, seconds=self.patience)
