"""A Postgres that is reached when it is first used, and whose tables are its user's own matter."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from slipway_runtime.store.database import Database, Engine, Row, Value
from slipway_runtime.store.postgres import SERVER_SETTINGS, PostgresDatabase, make_pool


class LazyPostgres:
    """See `Database`. It may be constructed outside a loop.

    Args:
        connections: so many at most.
        settings: of each session.
    """

    engine: Engine = "postgres"

    def __init__(self, dsn: str, *, connections: int, settings: Mapping[str, str] = SERVER_SETTINGS) -> None:
        self._dsn = dsn
        self._connections = connections
        self._settings = settings
        self._database: PostgresDatabase | None = None
        self._opening = asyncio.Lock()

    async def _ready(self) -> PostgresDatabase:
        if self._database is None:
            async with self._opening:
                if self._database is None:
                    pool = await make_pool(self._dsn, connections=self._connections, settings=self._settings)
                    self._database = PostgresDatabase(pool)
        return self._database

    async def execute(self, sql: str, *args: Value) -> int:
        return await (await self._ready()).execute(sql, *args)

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        return await (await self._ready()).fetch(sql, *args)

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        await (await self._ready()).execute_many(sql, rows)

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        return await (await self._ready()).chain(*statements, args=args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Database]:
        async with (await self._ready()).transaction() as database:
            yield database

    async def close(self) -> None:
        if self._database is not None:
            await self._database.close()
            self._database = None
