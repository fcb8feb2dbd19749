"""What CockroachDB's adapter does otherwise than pgvector's. Contract-tested on Postgres, not verified live."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from slipway_runtime.knowledge.vectors.cockroachdb import ENABLE, CockroachVectors, pinned_sources
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.knowledge.vectors.filters import AllOf, Among, AnyOf, Attributes, Compare, Filter, Not
from slipway_runtime.knowledge.vectors.servers import connected
from slipway_runtime.store.database import Value
from tests.runtime.knowledge.vectors.back_ends import database_with_pgvector, names, statement, unit_vectors
from tests.runtime.knowledge.vectors.cockroach import CockroachLike

REFUSE_TWICE = """
CREATE SEQUENCE attempts;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('attempts') <= 2 THEN RAISE EXCEPTION 'restart transaction' USING ERRCODE = '40001'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON "v.demo.x.r1" FOR EACH STATEMENT EXECUTE FUNCTION refuse();
"""


@pytest.fixture
async def dsn(postgres_server: str) -> str:
    return await database_with_pgvector(postgres_server)


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[CockroachLike]:
    database = CockroachLike(dsn)
    yield database
    await database.close()


async def test_its_indexes_are_made_with_the_table(database: CockroachLike) -> None:
    await CockroachVectors(database).upsert("demo.x.r1", names(2), unit_vectors(2))
    made = [sql for sql in database.sent if sql.startswith("CREATE")]
    assert made[1:] == [
        'CREATE VECTOR INDEX IF NOT EXISTS "n.demo.x.r1" ON "v.demo.x.r1" (embedding vector_cosine_ops)',
        'CREATE VECTOR INDEX IF NOT EXISTS "p.demo.x.r1" ON "v.demo.x.r1" (prefix, embedding vector_cosine_ops)',
        'CREATE INVERTED INDEX IF NOT EXISTS "f.demo.x.r1" ON "v.demo.x.r1" (attributes)',
    ]


async def test_a_statement_that_met_another_one_is_repeated(dsn: str, database: CockroachLike) -> None:
    store = CockroachVectors(database)
    await store.upsert("demo.x.r1", names(1), unit_vectors(1))
    await statement(dsn, REFUSE_TWICE)
    await store.upsert("demo.x.r1", names(5), unit_vectors(5))
    assert await store.count("demo.x.r1") == 5


@pytest.mark.parametrize(
    ("where", "pinned"),
    [
        (Compare("source", "eq", "docs"), ("docs",)),
        (AllOf((Compare("n", "gt", 1), Among("source", "in", ("a", 1, "b")))), ("a", "b")),
        (Compare("source", "eq", 3), ()),
        (Compare("source", "ne", "docs"), None),
        (Not(Compare("source", "eq", "docs")), None),
        (AnyOf((Compare("source", "eq", "docs"), Compare("n", "eq", 1))), None),
    ],
)
def test_which_filters_pin_the_sources(where: Filter, pinned: tuple[str, ...] | None) -> None:
    assert pinned_sources(where) == pinned


async def test_a_pinned_source_narrows_by_the_column_of_the_index(database: CockroachLike) -> None:
    store = CockroachVectors(database)
    attributes: list[Attributes] = [
        {"source": "docs"},
        {"source": ["docs", "web"]},
        {"source": "web"},
        {"source": 7},
        {},
    ]
    await store.upsert("demo.x.r1", names(5), unit_vectors(5), attributes)
    found = await store.search("demo.x.r1", unit_vectors(1)[0], 5, Compare("source", "eq", "docs"))
    assert {match.id for match in found} == {"id-0", "id-1"}
    assert "prefix IN ('', $" in database.sent[-1]
    found = await store.search("demo.x.r1", unit_vectors(1)[0], 5, Compare("source", "eq", 7))
    assert {match.id for match in found} == {"id-3"}


async def test_a_cluster_without_vector_indexes_says_what_to_run(dsn: str) -> None:
    class Disabled(CockroachLike):
        async def execute(self, sql: str, *args: Value) -> int:
            if "VECTOR INDEX" in sql:
                raise asyncpg.FeatureNotSupportedError("vector indexes are not enabled")
            return await super().execute(sql, *args)

    database = Disabled(dsn)
    store = CockroachVectors(database)
    with pytest.raises(VectorsUnavailable, match=ENABLE):
        await store.upsert("demo.x.r1", names(1), unit_vectors(1))
    assert not await store.exists("demo.x.r1")
    await database.close()


async def test_sessions_ask_for_a_wide_search(postgres_server: str) -> None:
    store = connected("cockroachdb", postgres_server)
    with pytest.raises(VectorsUnavailable, match="vector_search_beam_size"):  # which Postgres does not know
        await store.exists("demo.x.r1")
    await store.close()
