"""A host's store that stops the host at a commit of the test's choice, as a kill of its process would."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from slipway_runtime.store.database import Database, Row, StoreUnavailable, Value


class DyingDatabase:
    """Passes statements on until the commit number `at`; from then on nothing is written and nothing answered.

    Args:
        after: whether that commit is still made, without the host learning of it.
    """

    def __init__(self, database: Database, *, at: int, after: bool) -> None:
        self.dead = asyncio.Event()
        self.buried = asyncio.Event()
        """Once set, whoever waits for this store gets `StoreUnavailable`, so that a test can clean up."""
        self._database = database
        self._at = at
        self._after = after
        self._commits = 0

    async def _die(self) -> None:
        self.dead.set()
        await self.buried.wait()
        raise StoreUnavailable("the host is dead")

    async def _before(self) -> bool:
        """Die now, or return whether to die once this commit is made."""
        self._commits += 1
        if self.dead.is_set() or (self._commits == self._at and not self._after):
            await self._die()
        return self._commits == self._at

    async def execute(self, sql: str, *args: Value) -> int:
        last = await self._before()
        touched = await self._database.execute(sql, *args)
        if last:
            await self._die()
        return touched

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        if self.dead.is_set():
            await self._die()
        if sql.startswith("SELECT"):
            return await self._database.fetch(sql, *args)
        last = await self._before()
        rows = await self._database.fetch(sql, *args)
        if last:
            await self._die()
        return rows

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        raise NotImplementedError

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        last = await self._before()
        rows = await self._database.chain(*statements, args=args)
        if last:
            await self._die()
        return rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Database]:
        last = await self._before()
        async with self._database.transaction() as transaction:
            yield transaction
        if last:
            await self._die()

    async def close(self) -> None:
        await self._database.close()
