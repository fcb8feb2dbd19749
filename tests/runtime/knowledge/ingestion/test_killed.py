"""An ingestion that is killed at any write is gone on with, and ends in the same index."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import orjson
import pytest

from slipway_crds.contract import CHROMA_COLLECTIONS
from slipway_crds.contract import INDEX_TABLES as TABLES
from slipway_runtime.knowledge.documents.sql_texts import TABLE as TEXTS
from slipway_runtime.store.opening import open_database
from tests.runtime.knowledge.vectors.back_ends import database_with_pgvector
from tests.support.killed_ingestion import STAGES, BackEnd, Killer, Place

CLOCKED = ("synced_at", "left_at")
"""Columns that tell when something was done."""
SHARDS = ("ingestion_shards", "sharded_ingestions")
"""Tables that tell how an ingestion went, not what came of it."""
BACK_ENDS: tuple[BackEnd, ...] = ("chroma", "pgvector")


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    """What starts ingestions."""
    with Killer(tmp_path_factory.mktemp("killer") / "log") as made:
        yield made


@pytest.fixture
async def place(postgres_server: str, chroma_url: str, request: pytest.FixtureRequest) -> Place:
    """An empty store."""
    dsn = await database_with_pgvector(postgres_server)
    await (await open_database(dsn)).close()
    namespace = urlsplit(dsn).path[1:].replace("_", "-")
    return Place(dsn, chroma_url, namespace, request.param)


async def emptied(place: Place) -> None:
    """Remove the index, as if it had never been there."""
    connection = await asyncpg.connect(place.dsn)
    for table in TABLES:
        await connection.execute(f"DELETE FROM {table}")
    await connection.execute(f"DROP TABLE IF EXISTS {TEXTS}")
    for name in await tables_of_vectors(connection):
        await connection.execute(f'DROP TABLE "{name}"')
    await connection.close()
    async with aiohttp.ClientSession(place.chroma_url) as http:
        for each in await collections(place, http):
            (await http.delete(f"{CHROMA_COLLECTIONS}/{each['name']}")).raise_for_status()


async def tables_of_vectors(connection: Any) -> list[str]:
    """Of pgvector, one for each build."""
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE tablename LIKE 'v.%' ORDER BY tablename")
    return [row["tablename"] for row in found]


async def collections(place: Place, http: aiohttp.ClientSession) -> list[dict[str, Any]]:
    """Of Chroma, one for each build."""
    async with http.get(f"{CHROMA_COLLECTIONS}?limit=1000") as response:
        found: list[dict[str, Any]] = await response.json()
    return sorted((each for each in found if place.namespace in each["name"]), key=lambda each: str(each["name"]))


async def everything(place: Place) -> dict[str, Any]:
    """All that is kept of the index: its rows with texts, terms and vectors of sentences, and the vector store's."""
    connection = await asyncpg.connect(place.dsn)
    kept: dict[str, Any] = {}
    for table in sorted(set(TABLES) - set(SHARDS)):
        rows = await connection.fetch(f"SELECT * FROM {table}")
        kept[table] = sorted(repr({k: v for k, v in row.items() if k not in CLOCKED}) for row in rows)
    if await connection.fetchval("SELECT to_regclass($1)", TEXTS) is not None:
        texts = await connection.fetch(f"SELECT revision, source, name, hash, text FROM {TEXTS}")
        kept[TEXTS] = sorted(map(repr, texts))
    for name in await tables_of_vectors(connection):
        kept[name] = sorted(map(repr, await connection.fetch(f'SELECT * FROM "{name}"')))
    await connection.close()
    async with aiohttp.ClientSession(place.chroma_url) as http:
        for each in await collections(place, http):
            include = {"include": ["embeddings", "metadatas"]}
            async with http.post(f"{CHROMA_COLLECTIONS}/{each['id']}/get", json=include) as response:
                got = await response.json()
            vectors = zip(got["ids"], got["embeddings"], got["metadatas"], strict=True)
            kept[each["name"]] = sorted(orjson.dumps(vector, option=orjson.OPT_SORT_KEYS) for vector in vectors)
    return kept


async def kill_at_each(killer: Killer, place: Place, kills: int, *, shards: int = 1) -> None:
    """Kill as many ingestions, each at another point of the whole, and compare what they end in.

    With shards, it is what one process ends in that nobody kills.
    """
    whole = killer.ingest(place)
    expected = await everything(place)
    if shards > 1:
        await emptied(place)
        place = replace(place, shards=shards)
        whole = killer.ingest(place)
        assert await everything(place) == expected
    assert (expected["pending_chunks"], len(expected["index_pointers"]), len(expected["documents"])) == ([], 1, 5)
    vectors = [len(each) for name, each in expected.items() if name not in (*TABLES, TEXTS)]
    assert vectors == [len(expected["chunks"])], "one build, with a vector for each chunk"
    assert len(expected.get(TEXTS, ())) == (len(expected["documents"]) if place.texts_apart else 0)
    for number in range(kills):
        await emptied(place)
        at = (2 * number + 1) * whole.points // (2 * kills)
        died = killer.ingest(place, kill_at=at)
        assert died.killed
        assert not killer.ingest(place, stage=died.stage).killed
        assert await everything(place) == expected, f"killed at point {at} of {whole.points}"


@pytest.mark.parametrize(("place", "kills"), [("chroma", 4), ("pgvector", 3)], indirect=["place"])
async def test_kills_change_nothing(killer: Killer, place: Place, kills: int) -> None:
    await kill_at_each(killer, place, kills)


@pytest.mark.deep
@pytest.mark.parametrize("place", BACK_ENDS, indirect=True)
async def test_fifty_kills_of_each_back_end_change_nothing(killer: Killer, place: Place) -> None:
    await kill_at_each(killer, place, 50)


@pytest.mark.parametrize("place", ["pgvector"], indirect=True)
async def test_shards_that_are_killed_end_in_what_one_process_makes(killer: Killer, place: Place) -> None:
    await kill_at_each(killer, place, 3, shards=3)


@pytest.mark.parametrize("place", ["pgvector"], indirect=True)
async def test_kills_lose_no_text_that_is_kept_elsewhere(killer: Killer, place: Place) -> None:
    await kill_at_each(killer, replace(place, texts_apart=True), 3, shards=3)


@pytest.mark.deep
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("place", ["pgvector"], indirect=True)
async def test_fifty_kills_lose_no_text_that_is_kept_elsewhere(killer: Killer, place: Place, shards: int) -> None:
    await kill_at_each(killer, replace(place, texts_apart=True), 50, shards=shards)


@pytest.mark.deep
@pytest.mark.parametrize("place", BACK_ENDS, indirect=True)
async def test_fifty_kills_of_shards_change_nothing(killer: Killer, place: Place) -> None:
    await kill_at_each(killer, place, 50, shards=3)


@pytest.mark.deep
@pytest.mark.parametrize("place", ["pgvector"], indirect=True)
async def test_an_ingestion_that_is_killed_again_and_again_gets_there(killer: Killer, place: Place) -> None:
    whole = killer.ingest(place)
    expected = await everything(place)
    await emptied(place)
    stage, kills = 0, 0
    while (ended := killer.ingest(place, stage=stage, kill_at=whole.points // 8)).killed:
        stage, kills = ended.stage, kills + 1
    assert kills > 1
    assert ended.stage == len(STAGES)
    assert await everything(place) == expected
