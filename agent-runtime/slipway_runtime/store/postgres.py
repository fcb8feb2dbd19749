"""Postgres behind the store's door: the store of a cluster, one schema for each namespace.

The schema is the first of the role's search path, or of the DSN's (`options=-csearch_path%3D...`). When the server was
unavailable, connections are made anew by the next statement; statements in between raise `StoreUnavailable`.
"""

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from slipway_crds.runtimeconfig import CONNECTIONS_PER_HOST
from slipway_runtime.store.database import Database, Engine, Row, StoreUnavailable, Value
from slipway_runtime.store.migrations import MAKE_MIGRATIONS, migrate

FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
CONNECT_TIMEOUT = 5.0
COMMAND_TIMEOUT = 10.0
"""Seconds after which a statement is given up here, for a server that vanished without a word."""
KEPT_SECONDS = 1.0
"""After so long a connection that is free goes back to asyncpg's pool."""
SERVER_SETTINGS = {
    "application_name": "slipway",
    "jit": "off",  # it costs tens of milliseconds where our statements take less than one
    "statement_timeout": "8000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "15000",
    # pgvector's, ignored where it is not: what an index looks at, and that it goes on until a filter has left enough
    "hnsw.ef_search": "64",
    "hnsw.iterative_scan": "strict_order",
}
NOW_EPOCH = """
CREATE OR REPLACE FUNCTION now_epoch() RETURNS double precision LANGUAGE sql VOLATILE
AS 'SELECT extract(epoch FROM clock_timestamp())::double precision'
"""

JUST_MADE = (asyncpg.UniqueViolationError, asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError)
"""What `CREATE TABLE IF NOT EXISTS` fails with where another session makes the table at the same time."""

UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what it raises for a connection that the server is just closing
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DeadlockDetectedError,  # whose victim may simply try again
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,  # out of connections, disk or memory
    asyncpg.InvalidAuthorizationSpecificationError,  # a password that was just changed
    asyncpg.InvalidCatalogNameError,  # a database that is still being made
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,  # statement_timeout
    asyncpg.ReadOnlySQLTransactionError,  # a replica, in the middle of a failover
)


@contextmanager
def store_errors() -> Iterator[None]:
    """What asyncpg raises for a server that is unavailable, as the store's one exception."""
    try:
        yield
    except UNAVAILABLE as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"Postgres cannot be used: {_in_words(error)}")


def _in_words(error: Exception) -> str:
    """What is wrong, and what to do where a person can fix it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is refused ({error.verify_message.rstrip('.')}). Put the authority that signed it into "
            "the ConfigMap of the chart value caBundle.configMap, and let the DSN name the host as the certificate does"
        )
    if isinstance(error, FileNotFoundError):  # the system says neither which
        return "there is no such file: the DSN's sslrootcert, or the server's socket"
    return f"{type(error).__name__}: {error}"


class PostgresStatements:
    """Statements on one connection, inside its transaction."""

    engine: Engine = "postgres"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, sql: str, *args: Value) -> int:
        with store_errors():
            return touched(await self._connection.execute(sql, *args))

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        try:  # what most statements go through: without a context manager
            return list(await self._connection.fetch(sql, *args))
        except UNAVAILABLE as error:
            raise _unavailable(error) from error

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        with store_errors():
            await self._connection.executemany(sql, rows)

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        return await self.fetch(chained(*statements), *args)

    def transaction(self) -> AbstractAsyncContextManager[Database]:
        raise RuntimeError("transactions are not nested: use the database that transaction() gave you")

    async def close(self) -> None:
        raise RuntimeError("close the database, not the transaction")


class PostgresDatabase:
    """A pool of connections to one schema. Made by `open_postgres`.

    To acquire and to release a connection takes asyncpg longer than a short statement. So one that is free goes back to
    the pool only after a moment without use, or where somebody waits for it.
    """

    engine: Engine = "postgres"

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._kept: list[Any] = []
        """Acquired, and free."""
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._returning: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """A connection of the pool; one that failed is thrown away, whatever state asyncpg believes it to be in."""
        connection = await self._free()
        try:
            yield connection
        except StoreUnavailable:
            with suppress(asyncpg.InterfaceError):  # asyncpg saw it end and took it back already
                connection.terminate()
            await self._pool.release(connection)
            raise
        except BaseException:
            await self._pool.release(connection)  # which waits for a statement that was cancelled
            raise
        if self._waiting:
            await self._pool.release(connection)
        else:
            self._keep(connection)

    async def _free(self) -> Any:
        while self._kept:
            connection = self._kept.pop()
            if _is_open(connection):
                return connection
            await self._pool.release(connection)
        self._waiting += 1
        try:
            with store_errors():
                async with asyncio.timeout(CONNECT_TIMEOUT):  # asyncpg's own costs a task
                    return await self._pool.acquire()
        finally:
            self._waiting -= 1

    def _keep(self, connection: Any) -> None:
        self._kept.append(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._return_kept)

    def _return_kept(self) -> None:
        """Give the pool all that is free, so that it closes what is idle for long or was used often."""
        self._timer = None
        kept, self._kept = self._kept, []
        self._returning = asyncio.create_task(self._release(kept))

    async def _release(self, connections: Sequence[Any]) -> None:
        for connection in connections:
            with suppress(*UNAVAILABLE):
                await self._pool.release(connection)

    async def execute(self, sql: str, *args: Value) -> int:
        async with self._connection() as connection:
            return await PostgresStatements(connection).execute(sql, *args)

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        async with self._connection() as connection:
            return await PostgresStatements(connection).fetch(sql, *args)

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        async with self._connection() as connection:
            await PostgresStatements(connection).execute_many(sql, rows)

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        return await self.fetch(chained(*statements), *args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Database]:
        async with self._connection() as connection:
            transaction = connection.transaction()
            with store_errors():
                await transaction.start()
            try:
                yield PostgresStatements(connection)
            except BaseException:
                with suppress(*UNAVAILABLE):  # a connection that is gone has rolled back already
                    await transaction.rollback()
                raise
            with store_errors():
                await transaction.commit()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._return_kept()
        try:
            await asyncio.wait_for(self._pool.close(), timeout=CONNECT_TIMEOUT)
        except (TimeoutError, *UNAVAILABLE):
            self._pool.terminate()


def _is_open(connection: Any) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # asyncpg saw it end and took it back already
        return False


@functools.lru_cache(maxsize=512)
def chained(*statements: str) -> str:
    """Statements of a chain as one."""
    *first, last = statements
    named = ", ".join(f"s{number} AS ({statement})" for number, statement in enumerate(first, start=1))
    return f"WITH {named} {last}" if named else last


def touched(status: str) -> int:
    """Rows touched, from the server's word for what was done (`INSERT 0 3`, `UPDATE 1`, `CREATE TABLE`)."""
    last = status.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0


async def _keep_session(_: object) -> None:
    """Asyncpg resets a connection at every release, one more round trip; we change nothing that needs it."""


async def make_pool(dsn: str, *, connections: int, settings: Mapping[str, str] = SERVER_SETTINGS) -> Any:
    """A pool of so many connections at most, none of them made yet.

    Raises:
        StoreUnavailable: if the DSN is none.
    """
    try:
        urlsplit(dsn).port  # noqa: B018 (asyncpg would quote what it cannot read, which may be the password)
    except ValueError:
        raise StoreUnavailable(f"the DSN cannot be read: write {FORM}, with % codes for / and @") from None
    with store_errors():
        return await asyncpg.create_pool(
            dsn,
            min_size=0,  # a minimum is kept in the background, with a traceback a second while the server is down
            max_size=connections,
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            server_settings=dict(settings),
            reset=_keep_session,
        )


async def open_postgres(dsn: str) -> Database:
    """Connect to the schema that the DSN's search path names, and bring its tables up to date.

    Raises:
        StoreUnavailable: if the DSN is none, the server cannot be reached, the role, password or schema is not (yet)
            accepted, or another version made the tables.
    """
    pool = await make_pool(dsn, connections=CONNECTIONS_PER_HOST)
    database = PostgresDatabase(pool)
    try:
        with suppress(*JUST_MADE):
            await database.execute(MAKE_MIGRATIONS)
        async with database.transaction() as transaction:
            # Hosts start together; the first one makes the tables and the others find them made. The lock is on a table
            # of the schema's own: advisory locks belong to the whole database, and any role may hold any of them.
            await transaction.execute("LOCK TABLE migrations IN SHARE ROW EXCLUSIVE MODE")
            await transaction.execute(NOW_EPOCH)
            await migrate(transaction, remedy="drop the tables in its schema, sessions included, and restart the pods")
    except asyncpg.PostgresError as error:
        pool.terminate()
        raise StoreUnavailable(f"the tables cannot be made: {error}") from error
    except BaseException:
        pool.terminate()
        raise
    return database
