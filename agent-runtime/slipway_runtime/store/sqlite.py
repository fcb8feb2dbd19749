"""SQLite behind the store's door: the local driver's store, one file, no server.

One connection writes and one reads (write-ahead log), so that a long read holds nobody up. Each has a thread of its
own, by aiosqlite.
"""

import asyncio
import functools
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aiosqlite

from slipway_runtime.retrying import WAL, retry
from slipway_runtime.store.database import Database, Engine, Row, StoreUnavailable, Value
from slipway_runtime.store.migrations import migrate

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that writes to the same file."""


@functools.lru_cache(maxsize=512)
def translate(sql: str) -> str:
    """The store's SQL text as SQLite reads it."""
    return re.sub(r"\$(\d+)", r"?\1", sql).replace("FOR UPDATE", "")


@contextmanager
def store_errors() -> Iterator[None]:
    """SQLite's operational errors (disk full, file locked or gone) as the store's."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"the SQLite store cannot be used: {error}") from error
    except ValueError as error:
        if "no active connection" not in str(error) and "Connection closed" not in str(error):
            raise
        raise StoreUnavailable("the SQLite store is closed") from error


class SqliteStatements:
    """Statements on one connection, inside whatever transaction it is in."""

    engine: Engine = "sqlite"

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, *args: Value) -> int:
        with store_errors():
            cursor = await self._connection.execute(translate(sql), args)
            return max(cursor.rowcount, 0)

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        with store_errors():
            rows = await self._connection.execute_fetchall(translate(sql), args)
            return [dict(row) for row in rows]

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        with store_errors():
            await self._connection.executemany(translate(sql), rows)

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        await self.execute("PRAGMA defer_foreign_keys = ON")  # until the transaction ends
        named = [f"args AS (SELECT ${len(args)})"]  # each statement gets all parameters, and SQLite counts them
        values, rows = list(args), list[Row]()
        for number, statement in enumerate(statements, start=1):
            rows = await self.fetch(f"WITH {', '.join(named)} {statement}", *values)
            if not rows:
                break
            columns = (f"${place} AS {column}" for place, column in enumerate(rows[0], start=len(values) + 1))
            named.append(f"s{number} AS (SELECT {', '.join(columns)})")
            values += rows[0].values()
        return rows

    def transaction(self) -> AbstractAsyncContextManager[Database]:
        raise RuntimeError("transactions are not nested: use the database that transaction() gave you")

    async def close(self) -> None:
        raise RuntimeError("close the database, not the transaction")


class SqliteDatabase:
    """A SQLite file. Made by `open_sqlite`."""

    engine: Engine = "sqlite"

    def __init__(self, *, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._connections = (writer, reader)
        self._writer = SqliteStatements(writer)
        self._reader = SqliteStatements(reader)
        self._writing = asyncio.Lock()

    async def execute(self, sql: str, *args: Value) -> int:
        async with self._writing:
            return await self._writer.execute(sql, *args)

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        if sql.lstrip()[:6].upper() == "SELECT":
            return await self._reader.fetch(sql, *args)
        async with self._writing:
            return await self._writer.fetch(sql, *args)

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        async with self.transaction() as database:
            await database.execute_many(sql, rows)

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        if len(statements) == 1:
            return await self.fetch(*statements, *args)
        async with self.transaction() as database:
            return await database.chain(*statements, args=args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Database]:
        async with self._writing:
            try:
                await self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                await self._writer.execute("COMMIT")
            except BaseException:
                # Whoever is cancelled leaves a statement behind in the thread's queue; this one comes after it. It
                # fails if nothing was begun, or all was committed, and then there is nothing to take back.
                with suppress(StoreUnavailable):
                    await asyncio.shield(self._writer.execute("ROLLBACK"))
                raise

    async def close(self) -> None:
        for connection in self._connections:
            await connection.close()


async def _connect(path: str) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT)
    connection.row_factory = sqlite3.Row
    await connection.create_function("now_epoch", 0, time.time)
    # SQLite does not wait for another process that changes the mode at the same time.
    await retry(lambda: connection.execute("PRAGMA journal_mode=WAL"), policy=WAL, on=_is_locked, seconds=BUSY_TIMEOUT)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        await connection.execute(f"PRAGMA {pragma}")
    return connection


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


async def open_sqlite(path: str) -> Database:
    """Open or make the file at `path` (its folder too) and bring its tables up to date.

    Raises:
        StoreUnavailable: if the file cannot be opened or written, or another version made its tables.
    """
    with store_errors():
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"the folder of the SQLite store cannot be made: {error}") from error
        # aiosqlite does not wait for its thread where a file cannot be opened, and the thread outlives the event loop.
        sqlite3.connect(path, timeout=BUSY_TIMEOUT).close()
        writer = await _connect(path)
        database = SqliteDatabase(writer=writer, reader=await _connect(path))
        try:
            async with database.transaction() as transaction:
                await migrate(transaction, remedy=f"remove the folder {Path(path).parent}, sessions included")
        except BaseException:
            await database.close()
            raise
        return database
