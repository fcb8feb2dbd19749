"""Deleting what the store keeps of an index, as the tenant itself and never as the administrator.

The tables are the tenant's, and so are triggers on them. They run with the rights of whoever deletes: here a login of
the namespace's own, which can do nothing that the namespace's pods cannot. What such code may still try is to keep the
operator busy, so the purge has five seconds, and what the server sends is counted.
"""

import asyncio
import secrets
from typing import Any, cast

import asyncpg

from slipway_crds.contract import INDEX_TABLES
from slipway_operator.store.roles import Tenant

PURGE_SECONDS = 5.0
BYTES_MAX = 1 << 20
"""That a purge is answered with; a trigger could send an error of a gigabyte."""


class PurgeError(Exception):
    """The tenant's part of the store does not let the rows be deleted; the message says why, shortened."""


def new_password() -> str:
    """For one purge."""
    return secrets.token_urlsafe(32)


async def purge(dsn: str, tenant: Tenant, *, role: str, password: str, index: str) -> None:
    """Delete an index's rows.

    Args:
        dsn: the administrator's; user and password are replaced.
        role: the namespace's login for this.
        index: as the rows name it, `namespace/name`.

    Raises:
        PurgeError: if a statement fails, or all of it takes too long or says too much.
        OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: if nobody can sign in.
    """
    settings = {"search_path": "pg_catalog", "statement_timeout": str(int(PURGE_SECONDS * 1000))}
    connection = await asyncpg.connect(
        dsn, user=role, password=password, timeout=PURGE_SECONDS, server_settings=settings
    )
    limited = _limit(connection)
    # Cutting the connection, since a cancelled statement is waited for, and code of the tenant may ignore that.
    timer = asyncio.get_running_loop().call_later(PURGE_SECONDS, limited.give_up)
    try:
        await _delete(connection, tenant, index)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise PurgeError(limited.reason or str(error)[:300] or type(error).__name__) from error
    finally:
        timer.cancel()
        connection.terminate()


async def _delete(connection: asyncpg.Connection, tenant: Tenant, index: str) -> None:
    async with connection.transaction():
        for table in INDEX_TABLES:
            # Each time, since a trigger may have changed it.
            await connection.execute(f"SET LOCAL ROLE {tenant.owner}")
            name = f"{tenant.owner}.{table}"
            if await connection.fetchval("SELECT to_regclass($1)::oid", name) is not None:
                await connection.execute(f"DELETE FROM {name} WHERE index_name = $1", index)


class _Limited(asyncio.Protocol):
    """Passes on to asyncpg what the server sends, up to a limit. asyncpg keeps a message until it is whole."""

    def __init__(self, protocol: asyncio.Protocol, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport
        self._received = 0
        self.reason = ""
        """Why the connection was cut from here."""

    def give_up(self) -> None:
        """The time is over."""
        self._cut(f"it takes longer than {PURGE_SECONDS:.0f} s")

    def _cut(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > BYTES_MAX:
            self._cut("the answer is too long")
        else:
            self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._protocol.connection_lost(error)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


def _limit(connection: asyncpg.Connection) -> _Limited:
    """From now on count what comes. asyncpg has no way to say how much it may keep, hence its private attribute."""
    transport = cast(asyncio.Transport, cast(Any, connection)._transport)
    limited = _Limited(cast(asyncio.Protocol, transport.get_protocol()), transport)
    transport.set_protocol(limited)
    return limited
