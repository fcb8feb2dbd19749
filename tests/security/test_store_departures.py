"""What a tenant with its own credentials tries in order to stay: to keep a login, and data that are to be deleted.

The statements are sent as the namespace's login, over real connections to a real Postgres.
"""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from slipway_operator.core.namespaces import Namespace
from slipway_operator.store.roles import reset_purger, retire_logins
from slipway_operator.store.rotation import EarlierLogins
from slipway_runtime.store.opening import open_database
from tests.support.store_keeping import CUT, Store, store_of

ROLES = "SELECT rolname::text FROM pg_roles WHERE starts_with(rolname::text, $1) ORDER BY 1"
LOGINS = "SELECT rolname::text FROM pg_roles WHERE starts_with(rolname::text, $1) AND rolcanlogin ORDER BY 1"
SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname = $1"
GONE = "SELECT gone_since IS NOT NULL FROM slipway.namespaces WHERE uid = $1"


@pytest.fixture
async def store(postgres_dsn: str) -> AsyncIterator[Store]:
    async with store_of(postgres_dsn) as made:
        yield made


async def used(store: Store) -> Namespace:
    """A namespace that has the tables of a host."""
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    await (await open_database(store.dsn_of(store.keeper.access(namespace).login))).close()
    return namespace


def owner(store: Store, namespace: Namespace) -> str:
    return store.keeper.access(namespace).owner


async def locking(store: Store, role: str) -> asyncpg.Connection:
    """A session that has changed its own role and does not commit."""
    connection = await asyncpg.connect(store.dsn_of(role))
    await connection.execute("SET ROLE NONE")
    await connection.execute("BEGIN")
    await connection.execute("ALTER ROLE CURRENT_USER PASSWORD 'mine'")
    return connection


async def locking_again_and_again(store: Store, role: str) -> None:
    """Until nobody may sign in as the role any more."""
    while True:
        try:
            connection = await locking(store, role)
            await connection.fetchval("SELECT pg_sleep(3600)")
        except asyncpg.InvalidAuthorizationSpecificationError:
            return
        except CUT:
            continue


async def test_a_gone_namespace_that_locks_its_role_is_shut_out_and_deleted(store: Store) -> None:
    gone = await used(store)
    login = store.keeper.access(gone).login
    session = await locking(store, login)
    attackers = [asyncio.create_task(locking_again_and_again(store, login)) for _ in range(3)]
    store.delete(gone)
    departed = store.departed(grace=0)
    await departed.sweep()
    assert await store.as_admin(LOGINS, owner(store, gone)) == []
    assert await store.as_admin(GONE, gone.uid) == [(True,)]
    async with asyncio.timeout(30):
        await asyncio.gather(*attackers)
    with pytest.raises(CUT):
        await session.fetchval("SELECT 1")
    await departed.sweep()
    assert await store.as_admin(ROLES, owner(store, gone)) == []
    assert await store.as_admin(SCHEMAS, owner(store, gone)) == []


async def test_an_earlier_login_that_locks_its_role_is_removed(store: Store) -> None:
    namespace = await used(store)
    earlier = store.keeper.access(namespace).login
    session = await locking(store, earlier)
    rotated = store.rotated(namespace)
    await store.keeper.ensure(rotated)
    login = store.keeper.access(rotated).login
    async with store.keeper.admin.connect() as connection:
        await retire_logins(connection, namespace.uid, login)
    assert await store.as_admin(LOGINS, owner(store, namespace)) == [(login,)]
    with pytest.raises(CUT):
        await session.fetchval("SELECT 1")


async def test_a_session_that_locks_the_purging_role_is_ended_at_the_next_purge(store: Store) -> None:
    """A trigger may leave such a session: it runs as the purging role and may ignore cancellation."""
    namespace = await used(store)
    tenant = store.keeper.tenant(namespace)
    async with store.keeper.admin.connect() as connection:
        role = await reset_purger(connection, tenant, "first")
    session = await locking(store, role)
    await store.keeper.purge(namespace, "docs")
    with pytest.raises(CUT):
        await session.fetchval("SELECT 1")


async def test_what_cannot_be_removed_of_one_namespace_keeps_no_login_of_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's role is locked by a session that does not end with it."""
    monkeypatch.setattr("slipway_operator.store.roles.SHUT_OUT_ATTEMPTS", 1)
    namespaces = [await used(store) for _ in range(3)]
    earlier = [store.keeper.access(namespace).login for namespace in namespaces]
    for namespace in namespaces:
        await store.keeper.ensure(store.rotated(namespace))
    assert store.cache.store_config_maps()[0].namespace == namespaces[0].name
    locked = await asyncpg.connect(store.dsn)
    async with locked.transaction():
        await locked.execute(f"ALTER ROLE {earlier[0]} PASSWORD 'locked'")
        await EarlierLogins(store.kube, store.cache, store.keeper).look()
    await locked.close()
    left = await store.as_admin("SELECT rolname::text FROM pg_roles WHERE rolname = ANY($1)", earlier)
    assert left == [(earlier[0],)]


async def test_something_in_another_database_keeps_a_role_and_no_data(store: Store) -> None:
    gone = await used(store)
    login = store.keeper.access(gone).login
    elsewhere = f"elsewhere_{store.installation[:8]}"
    await store.as_admin(f"CREATE DATABASE {elsewhere}")
    connection = await asyncpg.connect(in_database(store.dsn_of(login), elsewhere))
    await connection.fetchval("SELECT lo_create(0)")
    await connection.close()
    store.delete(gone)
    departed = store.departed(grace=0)
    await departed.sweep()
    await departed.sweep()
    assert await store.as_admin(SCHEMAS, owner(store, gone)) == []
    assert await store.as_admin(ROLES, owner(store, gone)) == [(owner(store, gone),)]
    assert await store.as_admin(LOGINS, owner(store, gone)) == []
    assert await store.as_admin(GONE, gone.uid) == [(True,)], "the next sweep tries again"
    await store.as_admin(f"DROP DATABASE {elsewhere}")
    await departed.sweep()
    assert await store.as_admin(ROLES, owner(store, gone)) == []
    assert await store.as_admin(GONE, gone.uid) == []


async def test_a_view_of_another_tenant_keeps_no_data(store: Store) -> None:
    gone, other = await used(store), await used(store)
    connection = await store.signed_in(gone)
    await connection.execute(f"GRANT USAGE ON SCHEMA {owner(store, gone)} TO PUBLIC; GRANT ALL ON chunks TO PUBLIC")
    await connection.close()
    connection = await store.signed_in(other)
    await connection.execute(f"CREATE VIEW copied AS SELECT * FROM {owner(store, gone)}.chunks")
    store.delete(gone)
    departed = store.departed(grace=0)
    await departed.sweep()
    await departed.sweep()
    assert await store.as_admin(ROLES, owner(store, gone)) == []
    assert await store.as_admin(SCHEMAS, owner(store, gone)) == []
    assert await connection.fetchval("SELECT to_regclass('copied')::oid") is None
    assert await connection.fetchval("SELECT count(*) FROM chunks") == 0, "what else the other one has stays"
    await connection.close()


def in_database(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))
