"""Ingestions in processes of their own, each of which kills itself before or after a write of the test's choice.

`Killer` starts one process that has imported everything and forks a child for each ingestion, so that a kill costs a
tenth of a second. A write is a statement, a transaction, or a request to the vector store that changes something.
"""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import orjson

from slipway_crds.runtimeconfig import DocumentsConfig, IngestConfig, SourceConfig, VectorsConfig
from slipway_runtime.knowledge.documents.sql_texts import SqlTexts
from slipway_runtime.knowledge.embedding.embedder import Matrix
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion, IngestionProgress
from slipway_runtime.knowledge.ingestion.sharding import ShardOfIngestion
from slipway_runtime.knowledge.ingestion.sources import ItemsSource
from slipway_runtime.knowledge.vectors.servers import VectorServers
from slipway_runtime.store.database import Database, Row, Value
from slipway_runtime.store.lazy_postgres import LazyPostgres
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.shards import Shard
from slipway_runtime.store.texts import TextStore

BackEnd = Literal["chroma", "pgvector"]
TEXTS_APART = DocumentsConfig(kind="postgres", connection="handbook/texts/dsn")
BEFORE = {
    "cats.md": "# Cats\n\nCats sleep for most of the day. They hunt at night.\n\n# Kittens\n\nKittens play.\n",
    "boats.md": "# Boats\n\nA slipway is a ramp on which boats are launched.\n",
    "tea.md": "# Tea\n\nGreen tea is brewed at eighty degrees.\n",
    "tea-too.md": "# Tea\n\nGreen tea is brewed at eighty degrees.\n",
    "headings.md": "# Nothing\n\n## but headings\n",
}
AFTER = {
    "cats.md": "# Cats\n\nCats purr. They hunt at night.\n\n# Kittens\n\nKittens play.\n",
    "tea.md": BEFORE["tea.md"],
    "tea-too.md": "# Tea\n\n## No longer\n",
    "headings.md": "# Nothing\n\n## but headings\n\nAnd one sentence.\n",
    "bad.md": "\udcff",
    "soup.md": "# Soup\n\nSoup is eaten with a spoon.\n",
}
STAGES: Sequence[tuple[dict[str, str], int]] = ((BEFORE, 100), (AFTER, 100), (AFTER, 50), (AFTER, 50))
"""What an index is made of, one after the other: its documents, and the most tokens of a chunk. The third makes another
build, and the fourth removes the build that was served before."""


class StubEmbedder:
    """Vectors that follow from the text, and no model."""

    identity = {"model": "stub"}  # noqa: RUF012
    dimensions = 8

    def count_tokens(self, text: str) -> int:
        """See `Tokens`."""
        return text.count(" ") + 1

    def token_starts(self, text: str) -> list[int]:
        """See `Tokens`."""
        return [0, *(place + 1 for place, character in enumerate(text) if character == " ")]

    async def embed_texts(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Matrix:
        """See `Embedder`."""
        digests = [hashlib.sha256(text.encode()).digest()[: self.dimensions] for text in texts]
        vectors = np.array([list(digest) for digest in digests], dtype=np.float32) + 1
        made: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return made


class Writes:
    """Counts writes, and kills the process at one of them. Each counts twice: before it is made and after."""

    def __init__(self, kill_at: int | None) -> None:
        self.count = 0
        self._kill_at = kill_at

    def point(self) -> None:
        """Here a kill may come."""
        if self.count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


class CountedDatabase:
    """A store whose writes count."""

    def __init__(self, database: Database, writes: Writes) -> None:
        self._database = database
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def execute(self, sql: str, *args: Value) -> int:
        """See `Database`."""
        self._writes.point()
        touched = await self._database.execute(sql, *args)
        self._writes.point()
        return touched

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        """See `Database`."""
        if sql.startswith("SELECT"):
            return await self._database.fetch(sql, *args)
        self._writes.point()
        rows = await self._database.fetch(sql, *args)
        self._writes.point()
        return rows

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """See `Database`."""
        self._writes.point()
        await self._database.execute_many(sql, rows)
        self._writes.point()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Database]:
        """See `Database`."""
        async with self._database.transaction() as transaction:
            self._writes.point()
            yield transaction
            self._writes.point()
        self._writes.point()


class CountedVectors:
    """A vector store whose writes count."""

    def __init__(self, vectors: Any, writes: Writes) -> None:
        self._vectors = vectors
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vectors, name)

    async def _counted(self, name: str, *args: Any) -> None:
        self._writes.point()
        await getattr(self._vectors, name)(*args)
        self._writes.point()

    async def upsert(self, *args: Any) -> None:
        """See `VectorStore`."""
        await self._counted("upsert", *args)

    async def delete(self, *args: Any) -> None:
        """See `VectorStore`."""
        await self._counted("delete", *args)

    async def drop(self, *args: Any) -> None:
        """See `VectorStore`."""
        await self._counted("drop", *args)


class CountedTexts:
    """A place of texts whose writes count."""

    def __init__(self, texts: SqlTexts, writes: Writes) -> None:
        self._texts = texts
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._texts, name)

    async def _counted(self, name: str, *args: Any) -> None:
        self._writes.point()
        await getattr(self._texts, name)(*args)
        self._writes.point()

    async def put_text(self, *args: Any) -> None:
        """See `TextStore`."""
        await self._counted("put_text", *args)

    async def delete_texts(self, *args: Any) -> None:
        """See `TextStore`."""
        await self._counted("delete_texts", *args)

    async def drop_texts(self, *args: Any) -> None:
        """See `TextStore`."""
        await self._counted("drop_texts", *args)


@dataclass(frozen=True)
class Place:
    """Where the index of one scenario is."""

    dsn: str
    chroma_url: str
    namespace: str
    back_end: BackEnd
    shards: int = 1
    """Shards of each ingestion, one after the other."""
    texts_apart: bool = False
    """Whether texts are in a table of their own, as those in another Postgres are."""

    def config(self, max_tokens: int) -> IngestConfig:
        """What an ingestion does."""
        return IngestConfig(
            namespace=self.namespace,
            index="handbook",
            max_tokens=max_tokens,
            overlap=0,
            sources=(SourceConfig(name="docs"),),
            vectors=VectorsConfig(kind=self.back_end),
            keep_seconds=0,
            documents=TEXTS_APART if self.texts_apart else DocumentsConfig(),
        )


async def ingest_stages(place: Place, *, stage: int, kill_at: int | None, note: Callable[[int, int], None]) -> None:
    """Do what is left of the scenario from a stage on.

    Args:
        note: called with each stage that begins, and at the end with the number of stages and of points.
    """
    writes = Writes(kill_at)
    database = await open_database(place.dsn)
    servers = VectorServers(place.chroma_url, store=database)
    apart = SqlTexts(LazyPostgres(place.dsn, connections=1), installation="here")
    counted_texts: Any = CountedTexts(apart, writes)

    async def texts(index: str, config: DocumentsConfig, /) -> TextStore:
        opened: TextStore = counted_texts
        return opened

    for number in range(stage, len(STAGES)):
        note(number, writes.count)
        documents, max_tokens = STAGES[number]
        config = place.config(max_tokens)
        store: Any = CountedVectors(servers(f"{place.namespace}/handbook", config.vectors), writes)
        items = {name: text.encode(errors="surrogateescape") for name, text in documents.items()}
        counted: Any = CountedDatabase(database, writes)
        stub: Any = StubEmbedder()

        def make(
            part: Shard | None,
            progress: Callable[[IngestionProgress], None],
            config: IngestConfig = config,
            database: Any = counted,
            vectors: Any = store,
            embedder: Any = stub,
        ) -> Ingestion:
            return Ingestion(
                config,
                database=database,
                vectors=vectors,
                embedder=embedder,
                progress=progress,
                shard=part,
                texts=texts,
            )

        source = ItemsSource("docs", items)
        if place.shards == 1:
            await make(None, lambda progress: None).run([source])
        for part in range(place.shards if place.shards > 1 else 0):
            shard = Shard(f"stage {number}", part, place.shards)
            index = f"{place.namespace}/handbook"
            await ShardOfIngestion(shard, index, counted, make, lambda progress: None, patience=5.0).run([source])
    note(len(STAGES), writes.count)
    await apart.close()
    await servers.close()
    await database.close()


def _child(order: dict[str, Any], notes: int) -> None:
    def note(stage: int, points: int) -> None:
        os.pwrite(notes, f"{stage} {points}".ljust(32).encode(), 0)

    asyncio.run(
        ingest_stages(Place(**order["place"]), stage=order["stage"], kill_at=order["kill_at"], note=note),
    )


def main() -> None:
    """Do orders, a line of JSON each: fork, wait, and print how it ended."""
    for line in sys.stdin:
        order = orjson.loads(line)
        notes = os.memfd_create("notes")
        os.pwrite(notes, f"{order['stage']} 0".ljust(32).encode(), 0)
        child = os.fork()
        if child == 0:
            try:
                _child(order, notes)
            finally:
                sys.stderr.flush()
                os._exit(1 if sys.exc_info()[0] else 0)
        _, status = os.waitpid(child, 0)
        stage, points = map(int, os.pread(notes, 32, 0).split())
        os.close(notes)
        ended = {"stage": stage, "points": points, "status": os.waitstatus_to_exitcode(status)}
        sys.stdout.write(orjson.dumps(ended).decode() + "\n")
        sys.stdout.flush()


@dataclass(frozen=True)
class Ended:
    """How an ingestion ended."""

    stage: int
    """That it was in; the number of stages if it did them all."""
    points: int
    """Points at which it could have been killed, of the stages before."""
    killed: bool


class Killer:
    """The process that does orders. `log` gets what its children say."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from tests.support.killed_ingestion import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
            )

    def ingest(self, place: Place, *, stage: int = 0, kill_at: int | None = None) -> Ended:
        """Do the scenario from a stage on, until it ends or is killed. Fails if it ended in another way."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(orjson.dumps({"place": place.__dict__, "stage": stage, "kill_at": kill_at}) + b"\n")
        self._process.stdin.flush()
        ended = orjson.loads(self._process.stdout.readline())
        assert ended["status"] in (0, -signal.SIGKILL), self._log.read_text()
        return Ended(ended["stage"], ended["points"], killed=ended["status"] != 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
