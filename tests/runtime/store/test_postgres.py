"""What only Postgres does: schemas of their own, and outages."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from slipway_runtime.store import postgres
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.deferred import DeferredDatabase, read_dsn
from slipway_runtime.store.migrations import MIGRATIONS
from slipway_runtime.store.opening import open_database
from tests.support.postgres import RestartablePostgres
from tests.support.waiting import until, until_async


@pytest.fixture
def server() -> Iterator[RestartablePostgres]:
    with RestartablePostgres() as server:
        yield server


async def test_the_search_path_of_the_dsn_is_where_the_tables_are(postgres_dsn: str) -> None:
    admin = await asyncpg.connect(postgres_dsn)
    await admin.execute("CREATE SCHEMA ns_a; CREATE SCHEMA ns_b")
    databases = [await open_database(f"{postgres_dsn}&options=-csearch_path%3D{name}") for name in ("ns_a", "ns_b")]
    await databases[0].execute("INSERT INTO documents VALUES ('i', 's', 'n', 'r', 't', 'x', 'h', '', '{}')")
    assert await databases[1].fetch("SELECT * FROM documents") == []
    assert await admin.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert await admin.fetchval("SELECT count(*) FROM ns_a.documents") == 1
    for database in databases:
        await database.close()
    await admin.close()


async def test_hosts_that_start_together_make_the_tables_whoever_holds_advisory_locks(postgres_dsn: str) -> None:
    """Any role of the server may hold any advisory lock, so nothing may wait for one."""
    intruder = await asyncpg.connect(postgres_dsn)
    try:
        await intruder.execute("SELECT pg_advisory_lock(1360986113, hashtext('public'))")  # what hosts once waited for
        databases = await asyncio.gather(*(open_database(postgres_dsn) for _ in range(8)))
    finally:
        await intruder.close()
    versions = [await database.fetch("SELECT version FROM migrations ORDER BY version") for database in databases]
    assert [[row["version"] for row in rows] for rows in versions] == [list(range(1, len(MIGRATIONS) + 1))] * 8
    for database in databases:
        await database.close()


async def test_connections_are_set_up_for_short_statements(postgres_dsn: str) -> None:
    database = await open_database(postgres_dsn)
    (row,) = await database.fetch(
        "SELECT current_setting('jit') AS jit, current_setting('statement_timeout') AS statement_timeout"
    )
    assert dict(row) == {"jit": "off", "statement_timeout": "8s"}
    await database.close()


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("@localhost:port/db", "cannot be read: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        ("/of-it@localhost/db", "cannot be read: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        ("@localhost/db?sslmode=nonsense", "must be one of: disable, allow, prefer, require, verify-ca, verify-full"),
        ("@localhost:1/db", "ConnectionRefusedError"),
    ],
)
async def test_a_dsn_that_is_refused_is_one_clear_line_without_the_password(
    rest: str, words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "dsn").write_text(f"postgresql://user:secret{rest}")
    database = DeferredDatabase(lambda: read_dsn(tmp_path / "dsn"))
    database.open()
    await until(lambda: caplog.records, "it is logged")
    await database.close()
    (record,) = caplog.records
    assert words in record.getMessage()
    assert "secret" not in record.getMessage()
    assert record.exc_info is None


async def test_a_server_that_goes_away_is_unavailable_and_heals(server: RestartablePostgres) -> None:
    database = await open_database(server.dsn)

    async def answers() -> bool:
        try:
            return len(await database.fetch("SELECT 1 AS one")) == 1
        except StoreUnavailable:
            return False

    assert await answers()
    server.stop()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await database.fetch("SELECT 1 AS one")
        with pytest.raises(StoreUnavailable):
            await database.transaction().__aenter__()
    server.start()
    await until_async(answers, "the store answers again")
    await database.close()


async def test_a_free_connection_that_the_server_ended_is_replaced(postgres_dsn: str) -> None:
    database = await open_database(postgres_dsn)
    admin = await asyncpg.connect(postgres_dsn)
    pid = "SELECT pg_backend_pid() AS pid"
    ended = (await database.fetch(pid))[0]["pid"]
    await admin.execute("SELECT pg_terminate_backend($1)", ended)

    async def is_another() -> bool:
        try:
            return bool((await database.fetch(pid))[0]["pid"] != ended)
        except StoreUnavailable:
            return False

    await until_async(is_another, "a new connection is used")
    await admin.close()
    await database.close()


async def test_more_statements_than_connections_wait_for_one(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "CONNECTIONS_PER_HOST", 2)
    database = await open_database(postgres_dsn)
    pids: set[object] = set()

    async def ask(times: int) -> None:
        for _ in range(times):
            pids.update(row["pid"] for row in await database.fetch("SELECT pg_backend_pid() AS pid"))

    await asyncio.gather(*(ask(5) for _ in range(20)))
    assert 1 <= len(pids) <= 2
    await database.close()


async def test_a_connection_lost_inside_a_transaction_is_unavailable(server: RestartablePostgres) -> None:
    database = await open_database(server.dsn)

    async def write() -> None:
        async with database.transaction() as transaction:
            await transaction.execute("SELECT 1")
            server.stop()
            await transaction.execute("SELECT 1")

    with pytest.raises(StoreUnavailable):
        await write()
    await database.close()


async def test_a_deferred_store_waits_for_its_dsn_and_its_server(server: RestartablePostgres, tmp_path: Path) -> None:
    server.stop()
    file = tmp_path / "dsn"
    database = DeferredDatabase(lambda: read_dsn(file))
    database.open()

    async def why() -> str:
        try:
            await database.fetch("SELECT 1 AS one")
        except StoreUnavailable as error:
            return str(error)
        return ""

    async def says(word: str) -> bool:
        return word in await why()

    await until_async(lambda: says("waiting for the store's DSN"), "it names the missing file")
    file.write_text(f"{server.dsn}\n")
    await until_async(lambda: says("Postgres cannot be used"), "it names the server")
    server.start()
    await database.wait()
    assert await why() == ""
    await database.close()
