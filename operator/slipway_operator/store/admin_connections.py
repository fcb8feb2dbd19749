"""Connections of the store's administrator, and what is said when there are none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from slipway_operator.core.workers import TryAgainError
from slipway_operator.store.admin import Admin, AdminSecretError
from slipway_operator.store.builders import StoreAddress

TIMEOUT_SECONDS = 5.0
REFUSAL_SECONDS = 3.0
"""After a failure nobody asks again for this long: a hundred agents would otherwise wait for a hundred time-outs."""
SERVER_SETTINGS = {
    "application_name": "slipway-operator",
    # Nothing that a tenant made is found by its name alone.
    "search_path": "pg_catalog",
    # A tenant may hold its own roles' rows locked, which must not keep a worker for long.
    "lock_timeout": "1000",
}
FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class StoreError(TryAgainError):
    """The store cannot be reached, or refuses; the message says what to look at."""


class AdminConnections:
    """Opens connections of the administrator. `admin` is read for each of them."""

    def __init__(self, admin: Callable[[], Admin], address: StoreAddress) -> None:
        self._admin = admin
        self._address = address
        self._failed: tuple[float, str] = (0.0, "")

    @property
    def dsn(self) -> str:
        """Of the administrator, as it is now.

        Raises:
            StoreError: if the admin's Secret is of no use.
        """
        try:
            return self._admin().dsn
        except AdminSecretError as error:
            raise StoreError(f"The admin secret cannot be used: {error}") from error

    @asynccontextmanager
    async def connect(self, *, timeout: float = TIMEOUT_SECONDS) -> AsyncIterator[asyncpg.Connection]:
        """A connection for the block, in which each statement may take `timeout` seconds.

        Raises:
            StoreError: if there is none, or a statement in the block fails.
        """
        since, said = self._failed
        if said and asyncio.get_running_loop().time() < since + REFUSAL_SECONDS:
            raise StoreError(said)
        try:
            connection = await asyncpg.connect(
                self.dsn, timeout=TIMEOUT_SECONDS, command_timeout=timeout, server_settings=SERVER_SETTINGS
            )
        except FAILURES as error:
            said = self._in_words(error, "check that it runs and that the admin secret is right")
            self._failed = (asyncio.get_running_loop().time(), said)
            raise StoreError(said) from error
        try:
            yield connection
        except FAILURES as error:
            # Not remembered for others: it may be about one tenant.
            raise StoreError(self._in_words(error, "check the rights of the admin's role")) from error
        finally:
            await _close(connection)

    def _in_words(self, error: Exception, advice: str) -> str:
        address, what = self._address, str(error) or type(error).__name__
        return f"Postgres at {address.host}:{address.port} cannot be used ({what}); {advice}. This is tried again."


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=TIMEOUT_SECONDS)
    except FAILURES:
        connection.terminate()
