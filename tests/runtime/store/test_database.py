"""The one SQL text behaves the same on both engines."""

import asyncio
from pathlib import Path

import pytest

from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.migrations import MIGRATIONS
from slipway_runtime.store.opening import open_database

ADD = (
    "INSERT INTO documents (index_name, source, name, revision, title, text, hash, version, metadata) "
    "VALUES ($1, $2, $3, $4, '', '', '', '', '{}')"
)


async def names(database: Database) -> list[object]:
    rows = await database.fetch("SELECT name FROM documents ORDER BY name")
    return [row["name"] for row in rows]


async def test_values_come_back_as_they_went_in(database: Database) -> None:
    add = (
        "INSERT INTO chunks (id, index_name, revision, source, document, ordinal, heading, start_offset, end_offset, "
        "text, sentences, vectors) VALUES ($1, $2, $2, $2, $2, $3, $2, $3, $3, $4, $2, $5)"
    )
    text, blob = "naïve “quotes” 漢字 🚢 $1 ?1 'x'", bytes(range(256))
    assert await database.execute(add, "id", "x", 2**40, text, blob) == 1
    (row,) = await database.fetch("SELECT ordinal, text, vectors FROM chunks WHERE id = $1", "id")
    assert (row["ordinal"], row["text"], row["vectors"]) == (2**40, text, blob)


async def test_counts_the_rows_that_a_statement_touched(database: Database) -> None:
    await database.execute_many(ADD, [("i", "s", name, "r") for name in "abc"])
    assert await database.execute("UPDATE documents SET title = $1 WHERE name <> $2", "new", "a") == 2
    assert await database.execute("DELETE FROM documents WHERE name = $1", "missing") == 0


async def test_returning_is_committed(database: Database, dsn: str) -> None:
    rows = await database.fetch(f"{ADD} RETURNING name", "i", "s", "a", "r")
    assert [row["name"] for row in rows] == ["a"]
    other = await open_database(dsn)
    assert await names(other) == ["a"]
    await other.close()


async def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(ADD, "i", "s", "kept", "r")

    async def write_and_fail() -> None:
        async with database.transaction() as transaction:
            await transaction.execute(ADD, "i", "s", "lost", "r")
            raise KeyError

    with pytest.raises(KeyError):
        await write_and_fail()
    assert await names(database) == ["kept"]


@pytest.mark.parametrize("steps", range(12))
async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(database: Database, steps: int) -> None:
    """Whatever it was doing when it was cancelled, down to waiting for its beginning."""

    async def write_and_wait() -> None:
        async with database.transaction() as transaction:
            await transaction.execute(ADD, "i", "s", "lost", "r")
            await asyncio.Event().wait()

    task = asyncio.create_task(write_and_wait())
    for _ in range(steps):
        await asyncio.sleep(0.001 if steps > 8 else 0)
    task.cancel()
    await asyncio.wait({task})
    await database.execute(ADD, "i", "s", "kept", "r")
    async with database.transaction() as transaction:
        await transaction.execute(ADD, "i", "s", "too", "r")
    assert await names(database) == ["kept", "too"]


async def test_many_rows_are_all_or_nothing(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        await database.execute_many(ADD, [("i", "s", "a", "r"), ("i", "s", "a", "r")])
    assert await names(database) == []


async def test_transactions_are_not_nested(database: Database) -> None:
    async with database.transaction() as transaction:
        with pytest.raises(RuntimeError, match="not nested"):
            transaction.transaction()


async def test_the_store_has_a_clock(database: Database) -> None:
    (first,) = await database.fetch("SELECT now_epoch() AS now")
    (second,) = await database.fetch("SELECT now_epoch() AS now")
    assert isinstance(first["now"], float)
    assert isinstance(second["now"], float)
    assert 1.7e9 < first["now"] <= second["now"] < 4e9


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_hosts_that_start_together_make_the_tables_once(tmp_path: Path, postgres_dsn: str, engine: str) -> None:
    dsn = postgres_dsn if engine == "postgres" else f"sqlite:///{tmp_path}/store.db"
    databases = await asyncio.gather(*(open_database(dsn) for _ in range(5)))
    (row,) = await databases[0].fetch("SELECT count(*) AS n, max(version) AS last FROM migrations")
    assert (row["n"], row["last"]) == (len(MIGRATIONS), len(MIGRATIONS))
    await asyncio.gather(*(database.close() for database in databases))


async def test_tables_of_a_newer_version_are_used(database: Database, dsn: str) -> None:
    """Pods of both versions run during an upgrade."""
    await database.execute("INSERT INTO migrations VALUES ($1, 'of a newer version')", len(MIGRATIONS) + 1)
    await (await open_database(dsn)).close()


@pytest.mark.parametrize(
    "changed",
    [
        "UPDATE migrations SET digest = 'of another text' WHERE version = 2",
        "ALTER TABLE migrations DROP COLUMN digest",  # before the first release there was none
    ],
)
async def test_tables_that_others_made_are_refused(database: Database, dsn: str, changed: str) -> None:
    await database.execute(changed)
    with pytest.raises(StoreUnavailable, match=r"version that this one cannot follow: (remove|drop)"):
        await open_database(dsn)
    assert await names(database) == []  # and are left as they are


async def test_a_closed_store_is_unavailable(dsn: str) -> None:
    database = await open_database(dsn)
    await database.close()
    with pytest.raises(StoreUnavailable):
        await database.fetch("SELECT 1 AS one")


async def test_a_sqlite_file_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="folder"):
        await open_database(f"sqlite:///{tmp_path}/file/store.db")
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        await open_database(f"sqlite:///{tmp_path}")


async def test_other_databases_are_refused() -> None:
    with pytest.raises(StoreUnavailable, match="postgresql://"):
        await open_database("mysql://host/db")


RENAME = "UPDATE documents SET name = $2 WHERE name = $1 RETURNING name, revision"
COPY = (
    "INSERT INTO documents (index_name, source, name, revision, title, text, hash, version, metadata) "
    "SELECT 'i', 's', name || CAST($3 AS TEXT), revision, '', '', '', '', '{}' FROM s1 RETURNING name"
)


async def test_a_chain_hands_on_what_its_statements_return(database: Database) -> None:
    await database.execute(ADD, "i", "s", "a", "r")
    rows = await database.chain(RENAME, COPY, args=["a", "b", "2"])
    assert [row["name"] for row in rows] == ["b2"]
    assert await names(database) == ["b", "b2"]


async def test_a_chain_ends_where_nothing_was_touched(database: Database) -> None:
    assert await database.chain(RENAME, COPY, args=["a", "b", "2"]) == []
    assert await names(database) == []


async def test_a_chain_is_all_or_nothing(database: Database) -> None:
    for name in ("a", "b2"):
        await database.execute(ADD, "i", "s", name, "r")
    with pytest.raises(Exception, match=r"(?i)unique"):
        await database.chain(RENAME, COPY, args=["a", "b", "2"])
    assert await names(database) == ["a", "b2"]


async def test_a_chain_within_a_transaction_is_part_of_it(database: Database) -> None:
    await database.execute(ADD, "i", "s", "a", "r")

    async def write_and_fail() -> None:
        async with database.transaction() as transaction:
            await transaction.chain(RENAME, COPY, args=["a", "b", "2"])
            raise KeyError

    with pytest.raises(KeyError):
        await write_and_fail()
    assert await names(database) == ["a"]
