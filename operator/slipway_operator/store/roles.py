"""The statements that the administrator runs, and no others: roles, schemas, and the table that remembers namespaces.

A tenant owns its schema and may put triggers, functions, operators and casts into it. Whatever the administrator did
there would run them with the administrator's rights. So nothing here selects from, writes to or calls anything that a
tenant can alter: only `pg_catalog` and the administrator's own schema `slipway`. Every connection has `pg_catalog` as
its search path. tests/security/test_admin_statements.py lists the statements and refuses others.

Role names are derived from UIDs and passwords are base64url, so that nothing has to be quoted by the server. A role
that exists is taken over only if its comment names the same namespace and installation.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from slipway_crds.contract import engine_schema
from slipway_operator.store.builders import StoreAccess, owner_role, purge_role

PURGE_CONNECTIONS = 2
SHUT_OUT_ATTEMPTS = 10
"""To change a role that a tenant keeps changing itself. Each waits for `lock_timeout` at most."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
MAKE_TABLE = """
CREATE TABLE slipway.namespaces (
    uid TEXT PRIMARY KEY,
    installation TEXT NOT NULL,
    namespace TEXT NOT NULL,
    gone_since TIMESTAMPTZ
)
"""


class TakenError(Exception):
    """A role, schema or table of the name that we need belongs to somebody else."""


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A namespace of an installation; `installation` is the UID of the cluster's `kube-system`."""

    uid: str
    namespace: str
    installation: str

    @property
    def owner(self) -> str:
        return owner_role(self.uid)

    @property
    def mark(self) -> str:
        """How a role's comment ends that was made for it."""
        return f"UID {self.uid}, installation {self.installation}"


async def make_table(connection: asyncpg.Connection) -> None:
    """The administrator's own schema and table.

    Raises:
        TakenError: if a schema `slipway` is there that another role owns.
    """
    owner = await connection.fetchval(
        "SELECT r.rolname::text FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = 'slipway'"
    )
    if owner is None:
        await connection.execute("CREATE SCHEMA slipway")
    elif owner != await connection.fetchval("SELECT current_user::text"):
        raise TakenError(f"schema slipway belongs to role {owner}: give it to the admin with ALTER SCHEMA ... OWNER TO")
    if not await connection.fetchval(
        "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'slipway' AND c.relname = 'namespaces'"
    ):
        await connection.execute(MAKE_TABLE)


async def make_login(
    connection: asyncpg.Connection, access: StoreAccess, *, installation: str, connections: int
) -> None:
    """The owner role, the schemas and the login of a namespace, as they should be.

    Args:
        connections: that the login may have at a time.

    Raises:
        TakenError: if a role or schema of the name was made for somebody else.
    """
    tenant = Tenant(uid=access.uid, namespace=access.namespace, installation=installation)
    async with connection.transaction():
        await _remember(connection, tenant)
        await _make_role(connection, tenant, tenant.owner, "NOLOGIN")
        for schema in (tenant.owner, engine_schema(tenant.owner)):
            await _make_schema(connection, tenant, schema)
        limit = f"LOGIN NOINHERIT CONNECTION LIMIT {connections:d} PASSWORD '{_plain(access.password)}'"
        await _make_role(connection, tenant, access.login, limit)
        await _set_up_login(connection, tenant, access.login)
        await connection.execute(f"ALTER ROLE {access.login} SET search_path = {tenant.owner}, extensions")


async def reset_purger(connection: asyncpg.Connection, tenant: Tenant, password: str) -> str:
    """The role that deletes an index's rows, with nothing left of what code of the tenant may have done to it.

    Returns its name.

    Raises:
        TakenError: if a role of the name was made for somebody else.
    """
    role = purge_role(tenant.uid)
    if await _made(connection, tenant, role):
        # A trigger may have kept a session, and a password, and may hold the role locked.
        await shut_out(connection, [role])
    async with connection.transaction():
        limit = f"LOGIN NOINHERIT CONNECTION LIMIT {PURGE_CONNECTIONS} PASSWORD '{_plain(password)}'"
        await _make_role(connection, tenant, role, limit)
        await _set_up_login(connection, tenant, role)
    await _end_sessions(connection, [role])
    return role


async def roles_of(connection: asyncpg.Connection, uid: str) -> list[str]:
    """All roles of a namespace, the owner last."""
    owner = owner_role(uid)
    rows = await connection.fetch(
        "SELECT rolname::text AS name FROM pg_roles WHERE rolname = $1 OR starts_with(rolname::text, $2) "
        "ORDER BY length(rolname::text) DESC, rolname",
        owner,
        f"{owner}_",
    )
    return [str(row["name"]) for row in rows]


async def retire_logins(connection: asyncpg.Connection, uid: str, current: str) -> None:
    """Only the current login of a namespace is left. Sessions of the others are cut off."""
    earlier = [
        role for role in await roles_of(connection, uid) if role not in (current, owner_role(uid), purge_role(uid))
    ]
    await shut_out(connection, earlier)
    for role in earlier:
        # One that the tenant made own something stays, and nobody can sign in as it.
        with suppress(asyncpg.DependentObjectsStillExistError):
            await connection.execute(f"DROP ROLE {_plain(role)}")


async def shut_out(connection: asyncpg.Connection, roles: list[str]) -> None:
    """Nobody signs in as these roles any more, and whoever has is cut off. Not for use in a transaction.

    A session may hold its role locked by an `ALTER ROLE CURRENT_USER` that it does not commit, so sessions end first. A
    tenant may sign in again before its role is altered, hence several attempts.

    Raises:
        asyncpg.PostgresError: if a role could not be altered at any attempt; the others are.
    """
    for attempt in range(1, SHUT_OUT_ATTEMPTS + 1):
        await _end_sessions(connection, roles)
        refused = [error for role in roles if (error := await _bar(connection, role)) is not None]
        if not refused:
            break
        if attempt == SHUT_OUT_ATTEMPTS:
            raise refused[0]
    await _end_sessions(connection, roles)


async def _bar(connection: asyncpg.Connection, role: str) -> asyncpg.PostgresError | None:
    """The role cannot sign in; or why that is not so, if another attempt may help."""
    try:
        await connection.execute(f"ALTER ROLE {_plain(role)} WITH NOLOGIN CONNECTION LIMIT 0")
    except (asyncpg.LockNotAvailableError, asyncpg.InternalServerError) as error:
        # Locked, or "tuple concurrently updated".
        return error
    return None


async def drop_roles(connection: asyncpg.Connection, roles: list[str]) -> list[str]:
    """The roles and everything they own in this database: the schema with its tables, and what others built on them.

    Not for use in a transaction: the data goes even if a role cannot.

    Returns:
        The roles that stay, since something in another database of the server belongs to them or names them.
    """
    for role in roles:
        await connection.execute(f"GRANT {_plain(role)} TO CURRENT_USER")
        await connection.execute(f"DROP OWNED BY {_plain(role)} CASCADE")
    stay = []
    for role in roles:
        try:
            await connection.execute(f"DROP ROLE {_plain(role)}")
        except asyncpg.DependentObjectsStillExistError:
            stay.append(role)
    return stay


@dataclass(frozen=True, kw_only=True)
class Departed:
    """A row of the table. `gone_for`: seconds since the namespace was found to be gone; None if it was not."""

    uid: str
    namespace: str
    gone_for: float | None


async def remembered(connection: asyncpg.Connection, installation: str) -> list[Departed]:
    """The namespaces of an installation, gone or not."""
    rows = await connection.fetch(
        "SELECT uid, namespace, extract(epoch FROM now() - gone_since)::double precision AS gone_for "
        "FROM slipway.namespaces WHERE installation = $1 ORDER BY uid",
        installation,
    )
    return [Departed(uid=row["uid"], namespace=row["namespace"], gone_for=row["gone_for"]) for row in rows]


async def mark_gone(connection: asyncpg.Connection, uid: str) -> None:
    """The grace period begins."""
    await connection.execute(
        "UPDATE slipway.namespaces SET gone_since = now() WHERE uid = $1 AND gone_since IS NULL", uid
    )


async def forget(connection: asyncpg.Connection, uid: str) -> None:
    """Nothing of the namespace is left."""
    await connection.execute("DELETE FROM slipway.namespaces WHERE uid = $1", uid)


async def _remember(connection: asyncpg.Connection, tenant: Tenant) -> None:
    """The namespace's row: inserted, or not gone any more."""
    row = await connection.fetchrow(
        "SELECT installation, gone_since FROM slipway.namespaces WHERE uid = $1", tenant.uid
    )
    if row is None:
        await connection.execute(
            "INSERT INTO slipway.namespaces (uid, installation, namespace) VALUES ($1, $2, $3)",
            tenant.uid,
            tenant.installation,
            tenant.namespace,
        )
    elif row["installation"] != tenant.installation:
        raise TakenError(f"UID {tenant.uid} belongs to installation {row['installation']}")
    elif row["gone_since"] is not None:
        await connection.execute("UPDATE slipway.namespaces SET gone_since = NULL WHERE uid = $1", tenant.uid)


async def _made(connection: asyncpg.Connection, tenant: Tenant, role: str) -> bool:
    """Whether the role is there.

    Raises:
        TakenError: if it was made for somebody else.
    """
    found = await connection.fetchrow(
        "SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1", role
    )
    if found is not None and not (found["comment"] or "").endswith(tenant.mark):
        raise TakenError(f"role {role} was not made for namespace {tenant.namespace}: rename or drop it")
    return found is not None


async def _make_role(connection: asyncpg.Connection, tenant: Tenant, role: str, options: str) -> None:
    made = await _made(connection, tenant, role)
    await connection.execute(f"{'ALTER' if made else 'CREATE'} ROLE {role} WITH {options}")
    if not made:
        comment = f"Slipway: namespace {_plain(tenant.namespace)}, {tenant.mark}"
        await connection.execute(f"COMMENT ON ROLE {role} IS '{comment}'")
        # An administrator that is no superuser may act on what it is a member of.
        await connection.execute(f"GRANT {role} TO CURRENT_USER")


async def _make_schema(connection: asyncpg.Connection, tenant: Tenant, schema: str) -> None:
    owner = await connection.fetchval(
        "SELECT r.rolname::text FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = $1",
        schema,
    )
    if owner is None:
        await connection.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {tenant.owner}")
    elif owner != tenant.owner:
        raise TakenError(f"schema {schema} belongs to role {owner}")


async def _set_up_login(connection: asyncpg.Connection, tenant: Tenant, role: str) -> None:
    """It acts as the owner, and has no other settings: whoever is signed in as a role may change the role's own."""
    database = await connection.fetchval("SELECT quote_ident(current_database()::text)")
    await connection.execute(f"GRANT {tenant.owner} TO {role}")
    await connection.execute(f"ALTER ROLE {role} RESET ALL")
    await connection.execute(f"ALTER ROLE {role} IN DATABASE {database} RESET ALL")
    await connection.execute(f"ALTER ROLE {role} SET role = '{tenant.owner}'")


async def _end_sessions(connection: asyncpg.Connection, roles: list[str]) -> None:
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY($1::text[])", roles
    )


def _plain(text: str) -> str:
    """The text, which needs no quotes and holds nothing that could end some.

    Raises:
        ValueError: if it holds anything else.
    """
    if not _PLAIN.fullmatch(text):
        raise ValueError("only letters, digits, _ and - are put into a statement")
    return text
