"""pgvector in the store: made once by the administrator, into a schema of its own that namespaces may use.

A server that has none, or an old one, says so with the command that helps: the administrator may not be allowed to make
extensions, and nothing here changes one that is there.
"""

import asyncio

import asyncpg

from slipway_operator.core.conditions import Trouble
from slipway_operator.store.admin_connections import AdminConnections
from slipway_operator.store.builders import owner_role

EXTENSION = "vector"
SCHEMA = "extensions"
OLDEST = (0, 8)
"""Without the iterative scans of 0.8 a filter that few rows pass finds too few of them."""
MISSING = "ExtensionMissing"
RECHECK_SECONDS = 60.0
MAKE = f"CREATE EXTENSION {EXTENSION} WITH SCHEMA {SCHEMA}"


class VectorExtension:
    """Looks after the extension, and lets namespaces use it."""

    def __init__(self, admin: AdminConnections) -> None:
        self._admin = admin
        self._looked: dict[str, tuple[float, Trouble | None]] = {}
        self._making = asyncio.Lock()

    async def trouble(self, namespace_uid: str) -> Trouble | None:
        """Why the namespace, whose roles are there, cannot keep vectors in the store; as it was a minute ago at most.

        Raises:
            StoreError: if Postgres is unavailable.
        """
        now = asyncio.get_running_loop().time()
        since, found = self._looked.get(namespace_uid, (now - RECHECK_SECONDS, None))
        if now < since + RECHECK_SECONDS:
            return found
        async with self._making, self._admin.connect() as connection:
            found = await _make(connection) or await _grant(connection, owner_role(namespace_uid))
        self._looked[namespace_uid] = (now, found)
        return found


async def _make(connection: asyncpg.Connection) -> Trouble | None:
    """The extension, if it is not there."""
    there = await _there(connection)
    if there is None:
        offered = await connection.fetchval(
            "SELECT default_version::text FROM pg_available_extensions WHERE name = $1", EXTENSION
        )
        if offered is None:
            said = "Postgres has no pgvector. Install it on the server (the package postgresql-NN-pgvector, or as your"
            return Trouble(MISSING, f"{said} provider says), at 0.8 or later. This is tried again.")
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", SCHEMA):
                await connection.execute(f"CREATE SCHEMA {SCHEMA}")
            await connection.execute(MAKE)
        except asyncpg.InsufficientPrivilegeError:
            said = "There is no pgvector in the store's database."
            return _ask(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}; {MAKE}", said)
        there = await _there(connection)
    _, version = there or ("", "")
    if _number(version) < OLDEST:
        said = f"pgvector in the store's database is {version}, and 0.8 or later is needed."
        return _ask(f"ALTER EXTENSION {EXTENSION} UPDATE", said)
    return None


async def _grant(connection: asyncpg.Connection, owner: str) -> Trouble | None:
    """The namespace may use the schema, unless somebody has put the extension into another, and sees to that."""
    schema, _ = await _there(connection) or ("", "")
    if schema != SCHEMA:
        return None
    grant = f"GRANT USAGE ON SCHEMA {SCHEMA} TO"
    try:
        await connection.execute(f"{grant} {owner}")
    except asyncpg.InsufficientPrivilegeError:
        admin = await connection.fetchval("SELECT current_user::text")
        return _ask(f'{grant} "{admin}" WITH GRANT OPTION', f"Schema {SCHEMA} belongs to another role than the admin.")
    return None


async def _there(connection: asyncpg.Connection) -> tuple[str, str] | None:
    """Schema and version of the extension."""
    row = await connection.fetchrow(
        "SELECT n.nspname::text AS schema, e.extversion::text AS version "
        "FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = $1",
        EXTENSION,
    )
    return (str(row["schema"]), str(row["version"])) if row is not None else None


def _ask(command: str, said: str) -> Trouble:
    return Trouble(MISSING, f"{said} Run as a superuser there: {command};")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
