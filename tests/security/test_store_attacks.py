"""What a tenant with its own credentials tries on the shared Postgres: to become another, and to keep others waiting.

The statements are sent as the namespace's login, over a real connection; the operator does what it does for any index.
"""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from slipway_operator.core.namespaces import Namespace
from slipway_operator.store.admin_connections import StoreError
from slipway_runtime.store.opening import open_database
from tests.support.store_keeping import Store, store_of

CHUNK = "INSERT INTO chunks VALUES ($1, $2, 'r', 's', 'd', 0, 'h', 0, 1, 't', '[]', '')"
TRIGGER = "CREATE TRIGGER attack BEFORE DELETE ON chunks FOR EACH ROW EXECUTE FUNCTION attack()"
ESCALATE = """
CREATE TABLE evidence (actor text, who text, superuser boolean);
CREATE FUNCTION attack() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE attempt text;
BEGIN
    INSERT INTO {owner}.evidence SELECT session_user, current_user, rolsuper FROM pg_roles WHERE rolname = current_user;
    FOREACH attempt IN ARRAY ARRAY[
        'ALTER ROLE {login} SUPERUSER', 'GRANT pg_read_all_data TO {login}', 'GRANT {other} TO {login}',
        'CREATE TABLE {owner}.evidence_passwords AS SELECT rolpassword FROM pg_authid',
        'CREATE TABLE {owner}.evidence_others AS SELECT * FROM {other}.chunks',
        'INSERT INTO slipway.namespaces VALUES (''x'', ''x'', ''x'')', 'SET ROLE NONE',
        'CREATE TABLE {owner}.evidence_passwords AS SELECT rolpassword FROM pg_authid',
        'SET SESSION AUTHORIZATION DEFAULT', 'ALTER ROLE {login} SUPERUSER', 'SET ROLE NONE',
        'ALTER ROLE SESSION_USER SET search_path = {owner}',
        'ALTER ROLE SESSION_USER PASSWORD ''known'''
    ] LOOP
        BEGIN EXECUTE attempt; EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
    RETURN OLD;
END $$
"""


@pytest.fixture
async def store(postgres_dsn: str) -> AsyncIterator[Store]:
    async with store_of(postgres_dsn, connections=20) as made:
        yield made


async def filled(store: Store, *, index: str = "docs") -> Namespace:
    """A namespace with an index's rows, made as its pods make them."""
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    database = await open_database(store.dsn_of(store.keeper.access(namespace).login))
    await database.execute(CHUNK, f"{namespace.name}-1", f"{namespace.name}/{index}")
    await database.close()
    return namespace


async def run(store: Store, namespace: Namespace, *statements: str) -> None:
    connection = await store.signed_in(namespace)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def fetch(store: Store, namespace: Namespace, query: str) -> list[tuple[object, ...]]:
    connection = await store.signed_in(namespace)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_a_trigger_on_what_is_purged_gains_nothing(store: Store) -> None:
    other, tenant = await filled(store), await filled(store)
    access = store.keeper.access(tenant)
    names = {"login": access.login, "owner": access.owner, "other": store.keeper.access(other).owner}
    await run(store, tenant, _format(ESCALATE, names), TRIGGER)
    await store.keeper.purge(tenant, "docs")
    assert await fetch(store, tenant, "SELECT * FROM evidence") == [(f"{access.owner}_op", access.owner, False)]
    assert await fetch(store, tenant, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'evidence\\_%'") == []
    assert await fetch(store, tenant, "SELECT 1 FROM chunks") == [], "the rows are deleted nevertheless"
    rights = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE starts_with(rolname::text, $1)"
    assert set(await store.as_admin(rights, access.owner)) == {(False,)}
    members = (
        "SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid "
        "JOIN pg_roles r ON r.oid = m.member WHERE starts_with(r.rolname::text, $1)"
    )
    assert set(await store.as_admin(members, access.owner)) == {(access.owner,)}


async def test_what_a_trigger_did_to_the_purging_role_is_gone_at_the_next_purge(store: Store) -> None:
    tenant = await filled(store)
    access = store.keeper.access(tenant)
    names = {"login": access.login, "owner": access.owner, "other": access.owner}
    await run(store, tenant, _format(ESCALATE, names), TRIGGER)
    await store.keeper.purge(tenant, "docs")
    settings = "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole WHERE rolname = $1"
    assert (f"search_path={access.owner}",) in await store.as_admin(settings, f"{access.owner}_op"), "it took hold"
    await run(store, tenant, "DROP TRIGGER attack ON chunks")
    await store.keeper.purge(tenant, "docs")
    assert await store.as_admin(settings, f"{access.owner}_op") == [(f"role={access.owner}",)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("PERFORM pg_sleep(60); RETURN OLD;", "canceling statement|takes longer than 5 s"),
        ("LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP;", "longer than 5 s"),
        ("RAISE EXCEPTION '%', repeat('x', 50000000);", "the answer is too long"),
        ("LOOP RAISE NOTICE '%', repeat('x', 100000); END LOOP;", "the answer is too long"),
        ("RAISE EXCEPTION 'never';", "never"),
    ],
)
async def test_a_trigger_that_prevents_the_purge_is_given_up_on_and_costs_others_nothing(
    store: Store, body: str, words: str
) -> None:
    tenant, other = await filled(store), await filled(store)
    function = f"CREATE FUNCTION attack() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
    await run(store, tenant, function, TRIGGER)
    purging = asyncio.create_task(store.keeper.purge(tenant, "docs"))
    await store.keeper.purge(other, "docs")
    assert await fetch(store, other, "SELECT 1 FROM chunks") == []
    with pytest.raises(StoreError, match=words):
        await purging
    await store.keeper.ensure(store.namespace())


async def test_a_second_purge_of_a_namespace_does_not_wait_for_the_first(store: Store) -> None:
    tenant = await filled(store)
    function = "CREATE FUNCTION attack() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); END'"
    await run(store, tenant, function, TRIGGER)
    first = asyncio.create_task(store.keeper.purge(tenant, "docs"))
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="this one is next"):
        await store.keeper.purge(tenant, "more")
    assert not first.done(), "a worker is not kept for it"
    with pytest.raises(StoreError):
        await first


async def test_functions_operators_and_casts_of_the_same_names_are_not_called(store: Store) -> None:
    tenant = await filled(store)
    shadows = [
        "CREATE TABLE calls (who text)",
        "CREATE FUNCTION note() RETURNS void LANGUAGE sql AS 'INSERT INTO calls VALUES (session_user)'",
        *(
            f"CREATE FUNCTION {name}({arguments}) RETURNS {result} LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM note(); RETURN {value}; END $$"
            for name, arguments, result, value in (
                ("to_regclass", "text", "regclass", "null"),
                ("starts_with", "text, text", "boolean", "true"),
                ("quote_ident", "text", "text", "'postgres'"),
                ("pg_terminate_backend", "integer", "boolean", "true"),
                ("shobj_description", "oid, name", "text", "'x'"),
                ("current_database", "", "name", "'postgres'::name"),
                ("same", "text, text", "boolean", "true"),
                ("same_name", "name, text", "boolean", "true"),
            )
        ),
        "CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = same)",
        "CREATE OPERATOR = (LEFTARG = name, RIGHTARG = text, FUNCTION = same_name)",
        "CREATE VIEW pg_roles AS SELECT 'x'::name AS rolname, note()::text AS called",
        "CREATE TABLE namespaces (uid text, installation text, namespace text, gone_since timestamptz)",
        "CREATE DOMAIN regclass AS text",
    ]
    await run(store, tenant, *shadows)
    await store.restarted().ensure(tenant)
    await store.keeper.purge(tenant, "docs")
    assert await fetch(store, tenant, "SELECT who FROM calls") == []
    assert await fetch(store, tenant, "SELECT 1 FROM chunks") == []


async def test_a_tenant_that_takes_all_it_can_get_stops_nobody_else(store: Store) -> None:
    tenant, other = await filled(store), await filled(store)
    held: list[asyncpg.Connection] = []
    try:
        for number in range(store.connections):
            held.append(await store.signed_in(tenant))
            await held[-1].execute(f"SELECT pg_advisory_lock({number}), pg_advisory_lock_shared(1, {number})")
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await store.signed_in(tenant)
        await store.restarted().ensure(other)
        await store.keeper.purge(other, "docs")
        await store.keeper.ensure(store.namespace())
        database = await open_database(store.dsn_of(store.keeper.access(other).login))
        await database.close()
    finally:
        for connection in held:
            connection.terminate()


async def test_a_tenant_that_locks_its_own_role_keeps_only_itself_waiting(store: Store) -> None:
    tenant, other = await filled(store), await filled(store)
    connection = await store.signed_in(tenant)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SET ROLE NONE")
    await connection.execute("ALTER ROLE CURRENT_USER PASSWORD 'mine'")
    keeper = store.restarted()
    own = asyncio.create_task(keeper.ensure(tenant))
    await keeper.ensure(other)
    assert not own.done()
    with pytest.raises(StoreError, match="lock timeout"):
        await own
    with pytest.raises(StoreError, match="lock timeout"):
        await keeper.ensure(tenant)  # at once: it is not asked again so soon
    await keeper.ensure(store.namespace())
    await transaction.rollback()
    await connection.close()


async def test_a_namespace_made_again_reads_nothing_of_the_old_one(store: Store) -> None:
    old = await filled(store)
    new = store.namespace(old.name)
    await store.keeper.ensure(new)
    before, after = store.keeper.access(old), store.keeper.access(new)
    assert before.password != after.password
    assert before.secret_name != after.secret_name
    for statement in (f"SELECT * FROM {before.owner}.chunks", f"SET ROLE {before.owner}", f"SET ROLE {before.login}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await run(store, new, statement)


async def test_a_namespace_called_like_another_ones_role_gets_another_role(store: Store) -> None:
    victim = await filled(store)
    role = store.keeper.access(victim).owner
    for name in (role, role.replace("_", "-"), role.removeprefix("ns_"), f"{role}_v1"):
        attacker = store.namespace(name)
        await store.keeper.ensure(attacker)
        assert store.keeper.access(attacker).owner != role
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await run(store, attacker, f"SELECT * FROM {role}.chunks")


async def test_a_role_that_somebody_else_made_is_not_taken_over(store: Store) -> None:
    namespace = store.namespace()
    owner = store.keeper.access(namespace).owner
    await store.as_admin(f"CREATE ROLE {owner}")
    with pytest.raises(StoreError, match=f"role {owner} was not made for namespace {namespace.name}"):
        await store.keeper.ensure(namespace)


async def test_a_role_of_another_installation_is_not_taken_over(store: Store, postgres_dsn: str) -> None:
    namespace = await filled(store)
    async with store_of(postgres_dsn) as second:
        second.put(namespace)
        with pytest.raises(StoreError, match="belongs to installation"):
            await second.keeper.ensure(namespace)


def _format(text: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text
