"""A store that several processes of the local driver share: containers of one service, each with the same manifests."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from slipway_runtime.identity import IdentitySigner
from slipway_runtime.store.database import StoreUnavailable

INGESTING = 0x736C6970
"""The advisory lock that is held while documents are ingested. The database is the containers' own."""

OneAtATime = Callable[[], AbstractAsyncContextManager[None]]


def is_postgres(dsn: str) -> bool:
    """Whether it is a store that others may share."""
    return dsn.startswith(("postgresql://", "postgres://"))


def shared_signer(dsn: str) -> IdentitySigner:
    """The signer of all processes with this store, so that each takes up what runs of the others wait with. Whoever has
    the DSN could change the runs themselves."""
    return IdentitySigner.from_seed(hashlib.sha256(b"slipway dev, identity\0" + dsn.encode()).digest())


def one_at_a_time(dsn: str) -> OneAtATime:
    """What ingestions are done within: two at once would take the other's vectors for left-overs."""
    if not is_postgres(dsn):
        return nullcontext

    @asynccontextmanager
    async def locked() -> AsyncIterator[None]:
        import asyncpg

        try:
            connection = await asyncpg.connect(dsn, server_settings={"application_name": "slipway-ingesting"})
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StoreUnavailable(f"Postgres cannot be used: {type(error).__name__}") from error
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", INGESTING)
            yield
        finally:
            connection.terminate()

    return locked
