"""What is Postgres's own: the extension, the indexes, and a server that restarts."""

from urllib.parse import urlsplit

import asyncpg
import pytest

from slipway_runtime.knowledge.vectors import pgvector, sql_vectors
from slipway_runtime.knowledge.vectors.contract import VectorsFull, VectorsUnavailable
from slipway_runtime.knowledge.vectors.filters import Attributes, Compare
from slipway_runtime.knowledge.vectors.pgvector import CREATE_EXTENSION, UPDATE_EXTENSION, Pgvector
from slipway_runtime.knowledge.vectors.servers import connected
from slipway_runtime.knowledge.vectors.sql_vectors import VectorTable, database_errors
from slipway_runtime.store.database import Row, StoreUnavailable, Value
from slipway_runtime.store.lazy_postgres import LazyPostgres
from tests.runtime.knowledge.vectors.back_ends import database_with_pgvector, names, statement, unit_vectors
from tests.support.postgres import RestartablePostgres

NAME = "demo.x.r1"


@pytest.fixture
async def dsn(postgres_server: str) -> str:
    return await database_with_pgvector(postgres_server)


class Watched(LazyPostgres):
    """A database that keeps what it was asked."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, connections=2)
        self.sent: list[tuple[str, tuple[Value, ...]]] = []

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        self.sent.append((sql, args))
        return await super().fetch(sql, *args)

    async def plan(self) -> str:
        """Of the last statement."""
        sql, args = self.sent[-1]
        return "\n".join(str(row["QUERY PLAN"]) for row in await super().fetch(f"EXPLAIN {sql}", *args))


async def test_a_database_without_the_extension_says_what_to_run(postgres_dsn: str) -> None:
    store = connected("pgvector", postgres_dsn)
    with pytest.raises(VectorsUnavailable) as failed:
        await store.upsert(NAME, names(1), unit_vectors(1))
    assert CREATE_EXTENSION in str(failed.value)
    await statement(postgres_dsn, CREATE_EXTENSION)
    await store.upsert(NAME, names(1), unit_vectors(1))  # without a new process
    await store.close()


async def test_an_extension_that_is_too_old_says_what_to_run(dsn: str) -> None:
    await statement(dsn, "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    store = connected("pgvector", dsn)
    with pytest.raises(VectorsUnavailable, match=f"0.7.4, and 0.8 is needed.*{UPDATE_EXTENSION}"):
        await store.count(NAME) or await store.search(NAME, unit_vectors(1)[0], 1)
    await store.close()


async def test_a_role_that_may_not_use_the_extensions_schema_says_what_to_run(dsn: str) -> None:
    await statement(dsn, 'DROP ROLE IF EXISTS "no usage"; CREATE ROLE "no usage" LOGIN')
    store = connected("pgvector", dsn.replace("postgres:", "no%20usage:", 1).replace("postgres@", "no%20usage@", 1))
    with pytest.raises(VectorsUnavailable, match='GRANT USAGE ON SCHEMA extensions TO "no usage"'):
        await store.upsert(NAME, names(1), unit_vectors(1))
    await store.close()


async def test_a_table_is_searched_exactly_until_it_is_large(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_vectors, "EXACT_NUMBERS", 300 * 384)
    monkeypatch.setattr(pgvector, "FEW", 10)
    database = Watched(dsn)
    store = Pgvector(database)
    attributes: list[Attributes] = [{"n": number % 100} for number in range(600)]
    await store.upsert(NAME, names(200), unit_vectors(600)[:200], attributes[:200])
    await store.search(NAME, unit_vectors(1)[0], 5)
    assert "Index Scan" not in await database.plan()
    await store.upsert(NAME, names(600), unit_vectors(600), attributes)
    await statement(dsn, f"ALTER DATABASE {urlsplit(dsn).path[1:]} SET enable_seqscan = off")
    await database.close()  # so that the size of the table does not matter to the planner
    await store.search(NAME, unit_vectors(1)[0], 5)
    assert 'Index Scan using "n.demo.x.r1"' in await database.plan()
    await store.search(NAME, unit_vectors(1)[0], 5, Compare("n", "lt", 50))
    assert 'Index Scan using "n.demo.x.r1"' in await database.plan()
    await store.search(NAME, unit_vectors(1)[0], 5, Compare("n", "eq", 7))
    assert "n.demo.x.r1" not in (plan := await database.plan())
    assert "f.demo.x.r1" in plan
    await database.close()


async def test_sessions_go_on_searching_until_a_filter_has_left_enough(dsn: str) -> None:
    database = LazyPostgres(dsn, connections=1)
    await Pgvector(database).upsert(NAME, names(1), unit_vectors(1))
    settings = "current_setting('hnsw.iterative_scan') || current_setting('hnsw.ef_search')"
    [row] = await database.fetch(f"SELECT {settings} AS both")
    assert row["both"] == "strict_order64"
    await database.close()


async def test_it_works_again_after_the_server_was_restarted() -> None:
    with RestartablePostgres() as server:
        await statement(server.dsn, CREATE_EXTENSION)
        store = connected("pgvector", server.dsn)
        await store.upsert(NAME, names(3), unit_vectors(3))
        server.stop()
        with pytest.raises(VectorsUnavailable, match="pgvector cannot be used"):
            await store.search(NAME, unit_vectors(1)[0], 1)
        server.start()
        assert [match.id for match in await store.search(NAME, unit_vectors(1)[0], 1)] == ["id-0"]
        await store.close()


def test_a_full_disk_is_told_from_a_server_that_is_away() -> None:
    with pytest.raises(VectorsFull), database_errors(NAME, "pgvector"):
        raise StoreUnavailable("no room") from asyncpg.DiskFullError("could not extend file")


def test_no_two_collections_share_a_table() -> None:
    collections = ["a", "a\0", "a\1", 'a"', "a" * 55, "a" * 56, "A" * 56, "ä" * 28, "v.a", "", "V." + "a" * 52]
    tables = [VectorTable.of(each) for each in collections]
    found = {name for each in tables for name in (each.table, each.nearest, each.filtered, each.pinned)}
    assert len(found) == 4 * len(collections)
    assert all(len(name.strip('"').replace('""', '"').encode()) <= 63 for name in found)
