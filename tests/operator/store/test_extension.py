"""pgvector in the store: made once, for namespaces to use, and the command to run where that cannot be done."""

from collections.abc import Iterator

import asyncpg
import pytest

from slipway_operator.core.conditions import Trouble
from slipway_operator.store import extension
from slipway_operator.store.extension import MISSING
from slipway_runtime.store.opening import open_database
from tests.support.postgres import RestartablePostgres
from tests.support.store_keeping import Store, store_of


@pytest.fixture
def server() -> Iterator[RestartablePostgres]:
    with RestartablePostgres() as started:
        yield started


async def run(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def look(store: Store) -> Trouble | None:
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    return await store.restarted().extension.trouble(namespace.uid)


async def test_a_namespace_keeps_vectors_once_the_administrator_has_made_the_extension(
    server: RestartablePostgres,
) -> None:
    async with store_of(server.dsn) as store:
        namespace = store.namespace()
        await store.keeper.ensure(namespace)
        assert await store.keeper.extension.trouble(namespace.uid) is None
        assert await store.restarted().extension.trouble(namespace.uid) is None, "and again"
        database = await open_database(store.dsn_of(store.keeper.access(namespace).login))
        await database.execute("CREATE TABLE v (id TEXT PRIMARY KEY, embedding vector(2))")
        await database.execute("INSERT INTO v VALUES ('a', CAST($1 AS TEXT)::vector)", "[1,0]")
        (row,) = await database.fetch("SELECT embedding <=> '[0,1]' AS distance FROM v")
        assert row["distance"] == 1.0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.execute("CREATE TABLE extensions.mine (id TEXT)")
        await database.close()


async def test_an_administrator_that_may_not_make_it_says_what_to_run(server: RestartablePostgres) -> None:
    await run(server.dsn, "CREATE ROLE plain LOGIN")
    async with store_of(server.dsn) as store:
        namespace = store.namespace()
        await store.keeper.ensure(namespace)
        store.dsn = store.dsn_of("plain")
        found = await store.restarted().extension.trouble(namespace.uid)
    assert found is not None
    assert found.reason == MISSING
    assert "CREATE EXTENSION vector WITH SCHEMA extensions;" in found.message


async def test_an_extension_that_is_there_is_left_as_it_is_and_one_too_old_is_reported(
    server: RestartablePostgres,
) -> None:
    await run(server.dsn, "CREATE EXTENSION vector WITH SCHEMA public")
    async with store_of(server.dsn) as store:
        assert await look(store) is None
        await run(server.dsn, "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
        found = await look(store)
    assert found is not None
    assert "is 0.7.4, and 0.8 or later is needed" in found.message
    assert "ALTER EXTENSION vector UPDATE;" in found.message


async def test_a_schema_of_another_role_says_what_to_grant(server: RestartablePostgres) -> None:
    await run(server.dsn, "CREATE SCHEMA extensions", "CREATE EXTENSION vector WITH SCHEMA extensions")
    await run(server.dsn, "CREATE ROLE plain LOGIN")
    async with store_of(server.dsn) as store:
        namespace = store.namespace()
        await store.keeper.ensure(namespace)
        store.dsn = store.dsn_of("plain")
        found = await store.restarted().extension.trouble(namespace.uid)
    assert found is not None
    assert 'GRANT USAGE ON SCHEMA extensions TO "plain" WITH GRANT OPTION;' in found.message


async def test_a_server_without_pgvector_says_to_install_it(
    server: RestartablePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extension, "EXTENSION", "no_such_extension")
    async with store_of(server.dsn) as store:
        found = await look(store)
    assert found is not None
    assert "Install it on the server" in found.message
