"""What a deleted namespace leaves in a real Postgres: shut out at once, dropped after the grace period."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from slipway_operator.core.kube import ApiError
from slipway_operator.core.namespaces import Namespace
from slipway_operator.store.roles import TakenError, Tenant
from slipway_operator.store.rotation import EarlierLogins
from slipway_runtime.store.opening import open_database
from tests.support.store_keeping import CUT, Store, store_of

WEEK = 7 * 24 * 3600.0
ROLES = "SELECT rolname::text FROM pg_roles WHERE starts_with(rolname::text, $1) ORDER BY 1"
SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname = $1"
ROWS = "SELECT uid, gone_since IS NOT NULL FROM slipway.namespaces ORDER BY uid"


@pytest.fixture
async def store(postgres_dsn: str) -> AsyncIterator[Store]:
    async with store_of(postgres_dsn) as made:
        yield made


async def used(store: Store) -> Namespace:
    """A namespace that has the tables of a host, and was purged once."""
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    await (await open_database(store.dsn_of(store.keeper.access(namespace).login))).close()
    await store.keeper.purge(namespace, "docs")
    return namespace


def owner(store: Store, namespace: Namespace) -> str:
    tenant: Tenant = store.keeper.tenant(namespace)
    return tenant.owner


async def test_nobody_signs_in_any_more_and_sessions_end_at_once(store: Store) -> None:
    gone, stays = await used(store), await used(store)
    open_before, other = await store.signed_in(gone), await store.signed_in(stays)
    store.delete(gone)
    await store.departed(grace=WEEK).sweep()
    with pytest.raises(CUT):
        await open_before.fetchval("SELECT 1")
    for role in await store.as_admin(ROLES, owner(store, gone)):
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="not permitted to log in"):
            await asyncpg.connect(store.dsn_of(str(role[0])))
    assert await other.fetchval("SELECT 1") == 1
    await other.close()
    assert sorted(await store.as_admin(ROWS)) == sorted([(gone.uid, True), (stays.uid, False)])
    assert await store.as_admin(SCHEMAS, owner(store, gone)), "the data is kept for the grace period"


async def test_after_the_grace_period_nothing_is_left(store: Store) -> None:
    gone, stays = await used(store), await used(store)
    store.delete(gone)
    departed = store.departed(grace=0)
    await departed.sweep()
    await departed.sweep()
    assert await store.as_admin(ROLES, owner(store, gone)) == []
    assert await store.as_admin(SCHEMAS, owner(store, gone)) == []
    assert await store.as_admin(ROWS) == [(stays.uid, False)]
    assert len(await store.as_admin(ROLES, owner(store, stays))) == 3


async def test_what_is_retained_stays_shut_out(store: Store) -> None:
    gone = await used(store)
    store.delete(gone)
    departed = store.departed(policy="Retain", grace=0)
    await departed.sweep()
    await departed.sweep()
    assert await store.as_admin(SCHEMAS, owner(store, gone)) == [(owner(store, gone),)]
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await store.signed_in(gone)


async def test_rows_of_another_cluster_are_not_touched(store: Store, postgres_dsn: str) -> None:
    ours = await used(store)
    async with store_of(postgres_dsn) as other:
        theirs = await used(other)
        await store.departed().sweep()
        await other.departed().sweep()
        await other.departed().sweep()
        assert sorted(await store.as_admin(ROWS)) == sorted([(ours.uid, False), (theirs.uid, False)])
        await (await other.signed_in(theirs)).close()


async def test_a_listing_of_another_cluster_or_an_empty_one_deletes_nothing(store: Store) -> None:
    namespace = await used(store)
    listed = dict(store.api.objects)
    store.api.objects.clear()
    with pytest.raises(ApiError, match="lacks kube-system"):
        await store.departed().sweep()
    store.api.objects.update(listed)
    assert await store.as_admin(ROWS) == [(namespace.uid, False)]


async def test_a_namespace_that_is_back_signs_in_again(store: Store) -> None:
    """A cluster's own backup was restored: the UID is the same."""
    namespace = await used(store)
    store.delete(namespace)
    await store.departed(grace=WEEK).sweep()
    store.put(namespace)
    await store.departed(grace=WEEK).sweep()
    await (await store.signed_in(namespace)).close()
    assert await store.as_admin(ROWS) == [(namespace.uid, False)]


async def test_the_documented_procedure_gives_a_namespace_its_old_data_back(store: Store, postgres_dsn: str) -> None:
    """As for a cluster that was built again: another installation, and other UIDs."""
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    (procedure,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    old = await used(store)
    database = await open_database(store.dsn_of(store.keeper.access(old).login))
    await database.execute("INSERT INTO sessions VALUES ('kept', 'a', 'c', 1, 1, 1)")
    await database.close()
    async with store_of(postgres_dsn) as rebuilt:
        new = rebuilt.namespace(old.name)
        await rebuilt.keeper.ensure(new)
        host = await open_database(rebuilt.dsn_of(rebuilt.keeper.access(new).login))
        await host.execute("INSERT INTO sessions VALUES ('dropped', 'a', 'c', 1, 1, 1)")
        uids = (("OLD", old.uid), ("NEW", new.uid))
        for placeholder, uid in uids:
            procedure = procedure.replace(placeholder, uid.replace("-", ""))
        connection = await asyncpg.connect(postgres_dsn)
        await connection.execute(procedure)
        await host.close()
        await rebuilt.restarted().ensure(new)
        host = await open_database(rebuilt.dsn_of(rebuilt.keeper.access(new).login))
        assert [row["id"] for row in await host.fetch("SELECT id FROM sessions")] == ["kept"]
        await host.execute("INSERT INTO sessions VALUES ('new', 'a', 'c', 1, 1, 1)")
        await rebuilt.keeper.purge(new, "docs")
        (handed_over,) = re.findall(r"`(UPDATE slipway\.namespaces.*?)`", page, re.DOTALL)
        handed_over = handed_over.replace("NEW", rebuilt.installation).replace("OLD", store.installation)
        await connection.execute(handed_over)
        await connection.close()
        departed = rebuilt.departed(grace=0)
        await departed.sweep()
        await departed.sweep()
        assert await store.as_admin(ROLES, owner(store, old)) == [], "the old roles go, and nothing with them"
        assert sorted(str(row["id"]) for row in await host.fetch("SELECT id FROM sessions")) == ["kept", "new"]
        await host.close()


async def test_an_administrator_that_is_no_superuser_does_all_of_it(store: Store) -> None:
    """The chart asks for a role that may create roles and schemas."""
    name = f"admin_{store.installation[:8]}"
    await store.as_admin(f"CREATE ROLE {name} LOGIN CREATEROLE")
    ((database,),) = await store.as_admin("SELECT current_database()")
    await store.as_admin(f"GRANT CREATE ON DATABASE {database} TO {name}")
    superuser, store.dsn = store.dsn, store.dsn_of(name)
    store.restarted()
    namespace = await used(store)
    rotated = store.rotated(namespace)
    await store.keeper.ensure(rotated)
    await EarlierLogins(store.kube, store.cache, store.keeper).look()
    session = await store.signed_in(rotated)
    store.delete(rotated)
    departed = store.departed(grace=0)
    await departed.sweep()
    with pytest.raises(CUT):
        await session.fetchval("SELECT 1")
    await departed.sweep()
    assert await store.as_admin(ROLES, owner(store, namespace)) == []
    assert await store.as_admin(SCHEMAS, owner(store, namespace)) == []
    store.dsn = superuser


async def test_a_schema_of_somebody_else_is_not_taken_over(store: Store) -> None:
    """The sweep goes on, and namespaces report what a person has to do."""
    stranger = f"stranger_{store.installation[:8]}"
    await store.as_admin(f"CREATE ROLE {stranger}")
    await store.as_admin(f"CREATE SCHEMA slipway AUTHORIZATION {stranger}")
    with pytest.raises(TakenError, match=f"belongs to role {stranger}"):
        await store.departed().sweep()
    problem = await store.keeper.problem(store.namespace())
    assert "ALTER SCHEMA ... OWNER TO" in problem
