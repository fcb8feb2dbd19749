"""Ingestions that several pods do together: which of them are done, who publishes, and how far they are.

Each pod has a shard of the documents. The transaction in which the last shard becomes complete names its pod the
publisher, so there is exactly one, and it stays the publisher when it is started again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from slipway_runtime.store.database import Database


class IngestionSuperseded(Exception):
    """Another ingestion of the index has begun since: this one is to end without publishing anything."""


@dataclass(frozen=True)
class Shard:
    """A part of the documents of an index, which one pod of an ingestion takes."""

    ingestion: str
    """What tells the ingestion from others: the uid of its Job."""
    number: int
    """From 0."""
    of: int

    def has(self, key: tuple[str, str]) -> bool:
        """Whether a document, given by source and name, is in this shard. It is in exactly one, whatever is listed."""
        digest = hashlib.sha256("\0".join(key).encode(errors="surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number

    @property
    def writer(self) -> str:
        """Who notes chunks as pending (`store/documents.py`)."""
        return f"shard {self.number} of {self.of}"


@dataclass(frozen=True)
class UnreadDocument:
    """A document that a shard could not read, in a version that need not be read again."""

    source: str
    name: str
    version: str
    reason: str


@dataclass(frozen=True)
class ShardStanding:
    """Where a shard is."""

    complete: bool
    publisher: int | None
    """The shard whose pod publishes; None while a shard is not complete."""


@dataclass(frozen=True)
class ShardedProgress:
    """How far all shards that have begun are, together."""

    done: int
    total: int
    chunks: int
    complete: int
    """Shards that are done."""
    shards: int

    def __str__(self) -> str:
        return f"{self.done}/{self.total} documents, {self.chunks} chunks, {self.complete} of {self.shards} shards done"


async def begin_shard(database: Database, index: str, shard: Shard) -> ShardStanding:
    """Begin a shard, or go on with one whose pod was killed.

    What is noted of an earlier ingestion of the index is forgotten.
    """
    async with database.transaction() as transaction:
        await transaction.execute(
            "INSERT INTO sharded_ingestions (index_name, ingestion, shards) VALUES ($1, $2, $3)"
            " ON CONFLICT (index_name) DO UPDATE SET ingestion = excluded.ingestion, shards = excluded.shards,"
            " publisher = NULL WHERE sharded_ingestions.ingestion <> excluded.ingestion",
            index,
            shard.ingestion,
            shard.of,
        )
        await transaction.execute(
            "DELETE FROM ingestion_shards WHERE index_name = $1 AND ingestion <> $2", index, shard.ingestion
        )
        await transaction.execute(
            "INSERT INTO ingestion_shards (index_name, shard, ingestion) VALUES ($1, $2, $3)"
            " ON CONFLICT (index_name, shard) DO NOTHING",
            index,
            shard.number,
            shard.ingestion,
        )
        return await _standing(transaction, index, shard)


async def complete_shard(
    database: Database, index: str, shard: Shard, unread: Sequence[UnreadDocument]
) -> ShardStanding:
    """Note that a shard is done.

    Raises:
        IngestionSuperseded: if it is of an earlier ingestion.
    """
    key = (index, shard.ingestion)
    async with database.transaction() as transaction:
        # Locks the row, so that of two shards that end at once the second sees the first.
        held = await transaction.execute(
            "UPDATE sharded_ingestions SET shards = shards WHERE index_name = $1 AND ingestion = $2", *key
        )
        if not held:
            raise IngestionSuperseded(f"another ingestion of the index {index} has begun since")
        await transaction.execute(
            "UPDATE ingestion_shards SET unread = $4 WHERE index_name = $1 AND ingestion = $2 AND shard = $3",
            *key,
            shard.number,
            orjson.dumps([[each.source, each.name, each.version, each.reason] for each in unread]).decode(),
        )
        await transaction.execute(
            "UPDATE sharded_ingestions SET publisher = $3 WHERE index_name = $1 AND ingestion = $2"
            " AND publisher IS NULL AND shards ="
            " (SELECT count(*) FROM ingestion_shards WHERE index_name = $1 AND unread IS NOT NULL)",
            *key,
            shard.number,
        )
        return await _standing(transaction, index, shard)


async def _standing(database: Database, index: str, shard: Shard) -> ShardStanding:
    rows = await database.fetch(
        "SELECT s.unread IS NOT NULL AS complete, i.publisher FROM sharded_ingestions i JOIN ingestion_shards s"
        " ON s.index_name = i.index_name AND s.ingestion = i.ingestion WHERE i.index_name = $1 AND s.shard = $2",
        index,
        shard.number,
    )
    publisher = rows[0]["publisher"]
    return ShardStanding(bool(rows[0]["complete"]), None if publisher is None else int(publisher))


async def unread_documents(database: Database, index: str, shard: Shard) -> list[UnreadDocument]:
    """The documents that the shards of this ingestion could not read."""
    rows = await database.fetch(
        "SELECT unread FROM ingestion_shards WHERE index_name = $1 AND ingestion = $2 AND unread IS NOT NULL"
        " ORDER BY shard",
        index,
        shard.ingestion,
    )
    return [UnreadDocument(*each) for row in rows for each in orjson.loads(str(row["unread"]))]


async def note_progress(database: Database, index: str, shard: Shard, *, done: int, total: int, chunks: int) -> None:
    """Note how far a shard is."""
    await database.execute(
        "UPDATE ingestion_shards SET done = $4, total = $5, chunks = $6"
        " WHERE index_name = $1 AND ingestion = $2 AND shard = $3",
        index,
        shard.ingestion,
        shard.number,
        done,
        total,
        chunks,
    )


async def read_progress(database: Database, index: str, shard: Shard) -> ShardedProgress:
    """How far the shards of this ingestion are."""
    rows = await database.fetch(
        "SELECT done, total, chunks, unread IS NOT NULL AS complete FROM ingestion_shards"
        " WHERE index_name = $1 AND ingestion = $2",
        index,
        shard.ingestion,
    )
    done, total, chunks, complete = (
        sum(int(row[name] or 0) for row in rows) for name in ("done", "total", "chunks", "complete")
    )
    return ShardedProgress(done, total, chunks, complete, shard.of)
