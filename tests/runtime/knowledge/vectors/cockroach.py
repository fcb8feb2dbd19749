"""A Postgres that CockroachDB's adapter works on: the statements that only CockroachDB has become Postgres's."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from slipway_runtime.store.database import Database, Engine, Row, Value
from slipway_runtime.store.lazy_postgres import LazyPostgres

VECTOR_INDEX = re.compile(r'CREATE VECTOR INDEX IF NOT EXISTS (".+?") ON (".+?") \((?:prefix, )?(embedding \w+)\)')
INVERTED_INDEX = re.compile(r'CREATE INVERTED INDEX IF NOT EXISTS (".+?") ON (".+?") \(attributes\)')


class CockroachLike:
    """See `Database`. `sent` is what the adapter asked for."""

    engine: Engine = "postgres"

    def __init__(self, dsn: str) -> None:
        path = "options=-csearch_path%3Dpublic,extensions"
        self._database = LazyPostgres(f"{dsn}{'&' if '?' in dsn else '?'}{path}", connections=4)
        self.sent: list[str] = []

    async def execute(self, sql: str, *args: Value) -> int:
        self.sent.append(sql)
        sql = VECTOR_INDEX.sub(r"CREATE INDEX IF NOT EXISTS \1 ON \2 USING hnsw (\3)", sql)
        sql = INVERTED_INDEX.sub(r"CREATE INDEX IF NOT EXISTS \1 ON \2 USING gin (attributes)", sql)
        return await self._database.execute(sql, *args)

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        self.sent.append(sql)
        return await self._database.fetch(sql, *args)

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        self.sent.append(sql)
        await self._database.execute_many(sql, rows)

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        return await self._database.chain(*statements, args=args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Database]:
        async with self._database.transaction() as database:
            yield database

    async def close(self) -> None:
        await self._database.close()
