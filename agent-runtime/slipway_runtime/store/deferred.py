"""A database that may not be there yet.

A host starts in any order with its store: it waits for the file with the DSN, for the server, for the role and the
schema. Until all are there, statements raise `StoreUnavailable`, and readiness names what is missing.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from slipway_runtime import retrying
from slipway_runtime.store.database import Database, Engine, Row, StoreUnavailable, Value
from slipway_runtime.store.opening import open_database

log = logging.getLogger(__name__)


def read_dsn(path: Path) -> str:
    """The DSN in a file that a Secret is mounted as.

    Raises:
        StoreUnavailable: if the file is not there (yet) or empty.
    """
    try:
        dsn = path.read_text().strip()
    except OSError as error:
        raise StoreUnavailable(f"waiting for the store's DSN in {path}: {error.strerror}") from error
    if not dsn:
        raise StoreUnavailable(f"the file {path} with the store's DSN is empty")
    return dsn


class DeferredDatabase:
    """Opens the database in the background as soon as that is possible.

    Args:
        dsn: gives the DSN; called at each try, so that a Secret may come late.
    """

    def __init__(self, dsn: Callable[[], str]) -> None:
        self._dsn = dsn
        self._database: Database | None = None
        self._why = "the store has not been opened yet"
        self._opening: asyncio.Task[None] | None = None

    @property
    def engine(self) -> Engine:
        """See `Database`."""
        return self._ready().engine

    def open(self) -> None:
        """Begin to open it. Call once, inside the event loop."""
        self._opening = asyncio.create_task(self._open(), name="open the store")

    async def wait(self) -> None:
        """Return once it is open."""
        if self._opening:
            await asyncio.shield(self._opening)

    async def _open(self) -> None:
        async def step() -> Database:
            return await open_database(self._dsn())

        self._database = await retrying.retry(
            step,
            policy=retrying.OPEN_STORE,
            on=lambda error: isinstance(error, StoreUnavailable),
            failed=self._failed,
        )

    def _failed(self, error: BaseException) -> None:
        if str(error) != self._why:
            self._why = str(error)
            log.warning("the store is not there yet: %s", error)

    def _ready(self) -> Database:
        if self._database is None:
            raise StoreUnavailable(self._why)
        return self._database

    async def execute(self, sql: str, *args: Value) -> int:
        return await self._ready().execute(sql, *args)

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        return await self._ready().fetch(sql, *args)

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        await self._ready().execute_many(sql, rows)

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        return await self._ready().chain(*statements, args=args)

    def transaction(self) -> AbstractAsyncContextManager[Database]:
        return self._ready().transaction()

    async def close(self) -> None:
        if self._opening:
            self._opening.cancel()
            with suppress(asyncio.CancelledError):
                await self._opening
        if self._database:
            await self._database.close()
