"""CockroachDB 25.2 or later as a vector store. Contract-tested on Postgres, not verified live.

Its vectors are pgvector's in syntax, not in what is behind. A vector index is made with the table, since one that is
made later blocks writes. It serves a filter only on columns in front of the vector that are compared by equality or
`IN`: there is one index without such a column, and one with the chunk's `source`. Every other filter is searched
exactly, by its planner. Each statement may be refused because of another one and has to be repeated (SQLSTATE 40001).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from slipway_crds.indexes.connections import PostgresConnection
from slipway_runtime import retrying
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.knowledge.vectors.filters import AllOf, Among, Compare, Filter
from slipway_runtime.knowledge.vectors.sql_filters import SqlFilter, storable
from slipway_runtime.knowledge.vectors.sql_vectors import SqlVectors, VectorTable
from slipway_runtime.store.database import Database, Engine, Row, Value
from slipway_runtime.store.lazy_postgres import LazyPostgres

CONNECTIONS = 3
"""Of a process to one CockroachDB."""
SETTINGS = {"application_name": "slipway", "statement_timeout": "8000", "vector_search_beam_size": "64"}
"""Of a session; the last one is how many partitions a search looks at."""
CONFLICT_SECONDS = 10.0
ENABLE = "SET CLUSTER SETTING feature.vector_index.enabled = true"
PREFIX = "source"
"""The attribute in front of the vector in an index."""
T = TypeVar("T")


class RepeatingDatabase:
    """See `Database`: one that repeats what met another statement."""

    engine: Engine = "postgres"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def execute(self, sql: str, *args: Value) -> int:
        return await _repeated(lambda: self._database.execute(sql, *args))

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        return await _repeated(lambda: self._database.fetch(sql, *args))

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        await _repeated(lambda: self._database.execute_many(sql, rows))

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        return await _repeated(lambda: self._database.chain(*statements, args=args))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Database]:
        """Whose user repeats it."""
        async with self._database.transaction() as database:
            yield database

    async def close(self) -> None:
        await self._database.close()


async def _repeated(step: Callable[[], Awaitable[T]]) -> T:
    return await retrying.retry(
        step,
        policy=retrying.CONFLICT,
        on=lambda error: isinstance(error, asyncpg.SerializationError),
        seconds=CONFLICT_SECONDS,
    )


class CockroachVectors(SqlVectors):
    """See `VectorStore`."""

    back_end = "CockroachDB"
    columns = (
        f", prefix text NOT NULL GENERATED ALWAYS AS (CASE jsonb_typeof(attributes -> '{PREFIX}') "
        f"WHEN 'string' THEN 's' || (attributes ->> '{PREFIX}') ELSE '' END) STORED"
    )

    def __init__(self, database: Database, *, owned: bool = False) -> None:
        super().__init__(RepeatingDatabase(database), owned=owned)

    async def vector_type(self) -> str:
        """See `SqlVectors`."""
        return "vector"

    def distance(self, vector: str) -> str:
        """See `SqlVectors`."""
        return f"embedding <=> {vector}"

    def narrowed(self, where: Filter, first: int) -> SqlFilter:
        """See `SqlVectors`. What pins the attribute in front of the vector also pins the column, for the index."""
        made = super().narrowed(where, first)
        pinned = pinned_sources(where)
        if pinned is not None:
            values = "".join(f", {made.parameter(f's{storable(value)}')}" for value in pinned)
            made.sql = f"(prefix IN (''{values}) AND {made.sql})"
        return made

    async def begun(self, names: VectorTable) -> None:
        """See `SqlVectors`."""
        make, vector = "CREATE VECTOR INDEX IF NOT EXISTS", "embedding vector_cosine_ops"
        try:
            await self.database.execute(f"{make} {names.nearest} ON {names.table} ({vector})")
            await self.database.execute(f"{make} {names.pinned} ON {names.table} (prefix, {vector})")
        except asyncpg.FeatureNotSupportedError as error:
            await self.database.execute(f"DROP TABLE IF EXISTS {names.table}")  # one without an index would stay so
            raise VectorsUnavailable(
                f"CockroachDB makes no vector index: let its administrator run `{ENABLE}` ({error})"
            ) from error
        await self.database.execute(
            f"CREATE INVERTED INDEX IF NOT EXISTS {names.filtered} ON {names.table} (attributes)"
        )


def pinned_sources(where: Filter) -> tuple[str, ...] | None:
    """The only sources that a filter leaves besides those that are no strings; None if it leaves others too."""
    match where:
        case Compare(field, "eq", value) if field == PREFIX:
            return (value,) if isinstance(value, str) else ()
        case Among(field, "in" | "contains_any", values) if field == PREFIX:
            return tuple(value for value in values if isinstance(value, str))
        case AllOf(parts):
            return next((pinned for part in parts if (pinned := pinned_sources(part)) is not None), None)
        case _:
            return None


def connected(connection: PostgresConnection) -> CockroachVectors:
    """The vector store of a CockroachDB, reached when it is first used."""
    return CockroachVectors(LazyPostgres(connection.dsn, connections=CONNECTIONS, settings=SETTINGS), owned=True)
