"""One schema and one role per namespace in Postgres, so that tenants cannot read each other.

Everything is idempotent and derived: losing the operator in between, or the database altogether, is mended by doing it
again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

import asyncpg

from slipway_operator.admin import Admin, AdminSecretError
from slipway_operator.builders.store import StoreAccess, StoreAddress, store_access, store_secret
from slipway_operator.kube import KubeClient

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0
RECHECK_SECONDS = 60.0
"""A namespace whose pods are in trouble has its role looked at no more often than this."""
Work = Callable[[asyncpg.Connection], Awaitable[None]]
REFUSAL_SECONDS = 3.0
"""After a failure nobody asks again for this long: a hundred agents would otherwise wait for a hundred time-outs."""
INDEX_TABLES = ("chunks", "documents", "index_pointers", "pending_chunks")


class StoreError(Exception):
    """The store cannot be reached, or refuses; the message says what to look at."""


class StoreKeeper:
    """Makes sure that a namespace can sign in, and removes what a deleted index leaves."""

    def __init__(self, kube: KubeClient, *, admin: Callable[[], Admin], address: StoreAddress, root: bytes) -> None:
        """`admin` is read for each connection; `address` is where pods find the store; `root` is `slipway-root`."""
        self._kube = kube
        self._admin = admin
        self._address = address
        self._root = root
        self._ensured: dict[str, float] = {}
        self._failed: tuple[float, str] = (0.0, "")
        self._locks: dict[str, asyncio.Lock] = {}

    def access(self, namespace: str) -> StoreAccess:
        return store_access(namespace, self._root, self._address)

    async def ensure(self, namespace: str) -> None:
        """The namespace's Secret, role and schema are there, as far as they were not a minute ago.

        Raises:
            ApiError: if the Secret cannot be created.
            StoreError: if Postgres is away or refuses.
        """
        async with self._locks.setdefault(namespace, asyncio.Lock()):
            now = asyncio.get_running_loop().time()
            if now - self._ensured.get(namespace, -RECHECK_SECONDS) < RECHECK_SECONDS:
                return
            access = self.access(namespace)
            await self._kube.create(store_secret(access))
            await self._with_admin(lambda connection: _make_role(connection, access))
            self._ensured[namespace] = now

    async def problem(self, namespace: str) -> str:
        """`ensure`, with what is the matter with Postgres in words for a status; empty if nothing is.

        Raises:
            ApiError: if the Secret cannot be created.
        """
        try:
            await self.ensure(namespace)
        except StoreError as error:
            return str(error)
        return ""

    async def purge(self, namespace: str, index: str) -> None:
        """Delete what the store keeps of an index.

        Raises:
            StoreError: if Postgres is away or refuses.
        """
        schema = self.access(namespace).schema
        await self._with_admin(lambda connection: _purge(connection, schema, f"{namespace}/{index}"))

    async def _with_admin(self, work: Work) -> None:
        since, said = self._failed
        if said and asyncio.get_running_loop().time() < since + REFUSAL_SECONDS:
            raise StoreError(said)
        try:
            dsn = self._admin().dsn
            connection = await asyncpg.connect(dsn, timeout=TIMEOUT_SECONDS, command_timeout=TIMEOUT_SECONDS)
            try:
                await work(connection)
            finally:
                await connection.close(timeout=TIMEOUT_SECONDS)
        except AdminSecretError as error:
            raise StoreError(f"The admin secret cannot be used: {error}") from error
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            address = self._address
            said = (
                f"Postgres at {address.host}:{address.port} cannot be used ({str(error) or type(error).__name__}); "
                "check that it runs and that the admin secret is right. This is tried again."
            )
            self._failed = (asyncio.get_running_loop().time(), said)
            raise StoreError(said) from error


async def _make_role(connection: asyncpg.Connection, access: StoreAccess) -> None:
    # Two namespaces may be set up at once, and creating roles concurrently fails with "tuple concurrently updated".
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('slipway/roles'))")
        exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", access.role)
        verb = "ALTER" if exists else "CREATE"
        # Role names and passwords cannot be parameters; the server quotes them.
        statement = await connection.fetchval(
            f"SELECT format('{verb} ROLE %I WITH LOGIN PASSWORD %L', $1::text, $2::text)", access.role, access.password
        )
        await connection.execute(cast(str, statement))
        role = await connection.fetchval("SELECT format('%I', $1::text)", access.role)
        await connection.execute(f"GRANT {role} TO CURRENT_USER")
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}")
        await connection.execute(f"REVOKE ALL ON SCHEMA {role} FROM PUBLIC")


async def _purge(connection: asyncpg.Connection, schema: str, index: str) -> None:
    async with connection.transaction():
        for table in INDEX_TABLES:
            name = await connection.fetchval(
                "SELECT to_regclass(format('%I.%I', $1::text, $2::text))::text", schema, table
            )
            if name is not None:
                await connection.execute(f"DELETE FROM {name} WHERE index_name = $1", index)
