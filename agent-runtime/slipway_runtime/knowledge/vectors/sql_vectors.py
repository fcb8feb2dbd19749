"""Vectors in tables of a SQL database, one for each collection: what pgvector and CockroachDB have in common.

A table has `id`, `embedding` and `attributes` (`jsonb`). Vectors travel as text, which every driver can send. A small
table is searched exactly. Its indexes are made once it has `EXACT_NUMBERS` numbers in its vectors: so late because an
exact search is faster and complete until then, and so early because making them then takes a second, not minutes.
"""

import base64
import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import asyncpg
import numpy as np
import orjson

from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.vectors.contract import (
    Capabilities,
    CollectionMissing,
    Match,
    VectorsFull,
    VectorsRefused,
    VectorsUnavailable,
)
from slipway_runtime.knowledge.vectors.external import CollectionTaken
from slipway_runtime.knowledge.vectors.filters import Attributes, Filter, check
from slipway_runtime.knowledge.vectors.sql_filters import OPERATORS, SqlFilter, attributes_json, restored, storable
from slipway_runtime.store.database import Database, StoreUnavailable, Value
from slipway_runtime.store.postgres import JUST_MADE

BATCH = 250
"""Vectors in one transaction."""
EXACT_NUMBERS = 2_000_000
"""Of a table's vectors, before it gets an index: 5,200 vectors of 384 dimensions, 8 MB that are read in 3 ms."""
OWNERS = "vector_owners"
"""Table of the collections' owners. The names of other tables have a dot."""
NAME_BYTES = 55
"""The longest name of a table that is the collection's own: a name has 63 bytes at most, and indexes add some."""


@dataclass(frozen=True)
class VectorTable:
    """Names of a collection's table and of its indexes, quoted; no two collections share one."""

    table: str
    nearest: str
    """Index for the nearest vectors."""
    filtered: str
    """Index for filters."""
    pinned: str
    """Index for the nearest vectors that have an attribute in common."""

    @classmethod
    def of(cls, collection: str) -> "VectorTable":
        """Those of a collection: it itself, or its whole hash if it is too long."""
        text = storable(collection)
        if len(text.encode()) > NAME_BYTES:
            digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=").lower()
            return cls(*(_quoted(kind + digest) for kind in ("V.", "N.", "F.", "P.")))
        return cls(*(_quoted(kind + text) for kind in ("v.", "n.", "f.", "p.")))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class SqlVectors(ABC):
    """See `VectorStore`.

    Args:
        database: where the tables are, in the first schema of the search path.
        owned: whether to close it in the end.
    """

    back_end: str
    """Its name, for people."""
    columns = ""
    """Further ones of a table, each after a comma."""

    def __init__(self, database: Database, *, owned: bool = False) -> None:
        self.database = database
        self._owned = owned
        self._indexed: set[str] = set()
        """Tables that are known to have their indexes."""

    @abstractmethod
    async def vector_type(self) -> str:
        """The column's type without its dimensions, as a qualified name.

        Raises:
            VectorsUnavailable: if the database has no vectors; the text says what to do.
        """

    @abstractmethod
    def distance(self, vector: str) -> str:
        """Cosine distance of `embedding` and an expression of the vector type."""

    async def begun(self, names: VectorTable) -> None:  # noqa: B027 (not every database has something to do then)
        """Called when a table was made."""

    async def grown(self, names: VectorTable, dimensions: int) -> None:  # noqa: B027
        """Called when a table has become too large for exact searches, and by each process that writes to it once."""

    async def few(self, table: str, where: Filter) -> bool:
        """Whether a filter leaves so little that it is searched exactly, whatever the database's planner thinks."""
        return False

    def narrowed(self, where: Filter, first: int) -> SqlFilter:
        """A filter as a condition whose parameters begin with that number."""
        return SqlFilter(where, column="attributes", first=first)

    @property
    def capabilities(self) -> Capabilities:
        """See `VectorStore`."""
        return Capabilities(filters=OPERATORS)

    async def claim(self, collection: str, owner: str) -> None:
        """See `Ownable`. The marks are rows of one table."""
        async with self._errors(collection):
            with suppress(*JUST_MADE):
                await self.database.execute(
                    f"CREATE TABLE IF NOT EXISTS {OWNERS} (collection text PRIMARY KEY, owner text NOT NULL)"
                )
            marked = storable(collection)
            await self.database.execute(
                f"INSERT INTO {OWNERS} (collection, owner) VALUES ($1, $2) ON CONFLICT (collection) DO NOTHING",
                marked,
                owner,
            )
            rows = await self.database.fetch(f"SELECT owner FROM {OWNERS} WHERE collection = $1", marked)
        found = str(rows[0]["owner"]) if rows else owner
        if found != owner:
            raise CollectionTaken(collection, owner=found, asker=owner)

    async def upsert(
        self, collection: str, ids: Sequence[str], vectors: Matrix, attributes: Sequence[Attributes] | None = None
    ) -> None:
        """See `VectorStore`."""
        names, kind = VectorTable.of(collection), await self._type()
        statement = (
            f"INSERT INTO {names.table} (id, embedding, attributes) VALUES ($1, $2::text::{kind}, $3::text::jsonb) "
            "ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding, attributes = excluded.attributes"
        )
        described = [attributes_json(each) for each in attributes] if attributes is not None else ["{}"] * len(ids)
        rows: list[tuple[Value, ...]] = [
            (storable(id_), vector_text(vector), text)
            for id_, vector, text in zip(ids, vectors, described, strict=True)
        ]
        async with self._errors(collection):
            for start in range(0, len(rows), BATCH):
                batch = sorted(rows[start : start + BATCH])  # in one order, so that writers do not block each other
                try:
                    await self.database.execute_many(statement, batch)
                except asyncpg.UndefinedTableError:
                    await self._make_table(names, kind, vectors.shape[1])
                    await self.database.execute_many(statement, batch)
            await self._index(names, vectors.shape[1])

    async def _make_table(self, names: VectorTable, kind: str, dimensions: int) -> None:
        self._indexed.discard(names.table)
        with suppress(*JUST_MADE):
            await self.database.execute(
                f"CREATE TABLE IF NOT EXISTS {names.table} (id text PRIMARY KEY, embedding {kind}({dimensions}) "
                f"NOT NULL, attributes jsonb NOT NULL{self.columns})"
            )
            await self.begun(names)

    async def _index(self, names: VectorTable, dimensions: int) -> None:
        """Make the table's indexes if it has become large enough for them."""
        if names.table in self._indexed:
            return
        enough = max(1, EXACT_NUMBERS // dimensions)
        first = f"SELECT 1 FROM {names.table} LIMIT $1"
        if await self.number(f"SELECT count(*) FROM ({first}) AS first_rows", enough) < enough:
            return
        with suppress(*JUST_MADE):
            await self.grown(names, dimensions)
        self._indexed.add(names.table)

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """See `VectorStore`."""
        table = VectorTable.of(collection).table
        statement = f"DELETE FROM {table} WHERE id IN (SELECT jsonb_array_elements_text($1::text::jsonb))"
        with suppress(CollectionMissing):
            async with self._errors(collection):
                for batch in _batches(sorted(ids)):
                    await self.database.execute(statement, batch)

    async def count(self, collection: str) -> int:
        """See `VectorStore`."""
        with suppress(CollectionMissing):
            async with self._errors(collection):
                return await self.number(f"SELECT count(*) FROM {VectorTable.of(collection).table}")
        return 0

    async def present(self, collection: str, ids: Sequence[str]) -> set[str]:
        """See `VectorStore`."""
        table = VectorTable.of(collection).table
        statement = f"SELECT id FROM {table} WHERE id IN (SELECT jsonb_array_elements_text($1::text::jsonb))"
        found: set[str] = set()
        with suppress(CollectionMissing):
            async with self._errors(collection):
                for batch in _batches(ids):
                    rows = await self.database.fetch(statement, batch)
                    found.update(restored(str(row["id"])) for row in rows)
        return found

    async def search(self, collection: str, vector: Vector, count: int, where: Filter | None = None) -> list[Match]:
        """See `VectorStore`."""
        table = VectorTable.of(collection).table
        # A query of its own is evaluated once; a plan that serves all vectors would read the text for each row.
        distance = self.distance(f"(SELECT $1::text::{await self._type()})")
        statement = f"SELECT id, {distance} AS distance FROM {table}"
        async with self._errors(collection):
            if where is None:
                return await self._matches(f"{statement} ORDER BY distance LIMIT $2", vector, count)
            check(where, OPERATORS, self.back_end)
            narrowed = self.narrowed(where, 3)
            statement = f"{statement} WHERE {narrowed.sql}"
            if await self.few(table, where):
                # OFFSET keeps the planner from walking an index for vectors, most of which the filter drops.
                statement = f"SELECT id, distance FROM ({statement} OFFSET 0) AS remaining"
            return await self._matches(f"{statement} ORDER BY distance LIMIT $2", vector, count, *narrowed.args)

    async def _matches(self, statement: str, vector: Vector, *args: Value) -> list[Match]:
        rows = await self.database.fetch(statement, vector_text(vector), *args)
        return [Match(id=restored(str(row["id"])), score=1.0 - float(row["distance"] or 0)) for row in rows]

    async def exists(self, collection: str) -> bool:
        """See `VectorStore`."""
        async with self._errors(collection):
            [row] = await self.database.fetch(
                "SELECT to_regclass($1::text) IS NOT NULL AS found", VectorTable.of(collection).table
            )
        return bool(row["found"])

    async def drop(self, collection: str) -> None:
        """See `VectorStore`."""
        names = VectorTable.of(collection)
        self._indexed.discard(names.table)
        async with self._errors(collection):
            await self.database.execute(f"DROP TABLE IF EXISTS {names.table}")
            with suppress(asyncpg.UndefinedTableError):  # nobody has ever claimed one
                await self.database.execute(f"DELETE FROM {OWNERS} WHERE collection = $1", storable(collection))

    async def close(self) -> None:
        """See `VectorStore`."""
        if self._owned:
            await self.database.close()

    async def number(self, statement: str, *args: Value) -> int:
        """The only value of a statement's only row."""
        [row] = await self.database.fetch(statement, *args)
        [value] = row.values()
        return int(value or 0)

    async def _type(self) -> str:
        async with self._errors(""):
            return await self.vector_type()

    @asynccontextmanager
    async def _errors(self, collection: str) -> AsyncIterator[None]:
        with database_errors(collection, self.back_end):
            yield


@contextmanager
def database_errors(collection: str, back_end: str) -> Iterator[None]:
    """What the database raises, as the exceptions of the contract."""
    try:
        yield
    except StoreUnavailable as error:
        full = isinstance(error.__cause__, asyncpg.DiskFullError)
        raise (VectorsFull if full else VectorsUnavailable)(f"{back_end} cannot be used: {error}") from error
    except asyncpg.UndefinedTableError as error:
        raise CollectionMissing(collection) from error
    except asyncpg.DataError as error:
        raise VectorsRefused(f"{back_end} refuses vectors for {collection}: {error}") from error
    except asyncpg.PostgresError as error:
        raise VectorsUnavailable(f"{back_end} cannot be used: {type(error).__name__}: {error}") from error


def vector_text(vector: Vector) -> str:
    """A vector as the databases write it, which is JSON."""
    return orjson.dumps(np.ascontiguousarray(vector), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _batches(ids: Sequence[str]) -> Iterator[str]:
    """Lists of ids as JSON; many more than vectors fit in one statement."""
    for start in range(0, len(ids), 10 * BATCH):
        yield orjson.dumps([storable(id_) for id_ in ids[start : start + 10 * BATCH]]).decode()
