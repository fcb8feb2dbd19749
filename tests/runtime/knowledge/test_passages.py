"""Ingestion and retrieval over a back end that embeds texts itself, and over one that others can reach."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import BackendKind, IngestConfig, VectorsConfig
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.knowledge.vectors.external import CollectionTaken, Ownable
from slipway_runtime.knowledge.vectors.passages import wait_until_searchable
from slipway_runtime.knowledge.vectors.servers import connected
from slipway_runtime.knowledge.vectors.snowflake import SnowflakeVectors
from slipway_runtime.store.database import Database
from slipway_runtime.store.installation import installation_id
from slipway_runtime.store.opening import open_database
from tests.runtime.knowledge.vectors.back_ends import database_with_pgvector
from tests.runtime.knowledge.vectors.test_snowflake import connection
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.mongo_server import MongoServer
from tests.support.snowflake_server import running

pytestmark = pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning")
CATS = "# Cats\n\nCats sleep for most of the day. They hunt at night.\n"
SHIPS = "# Ships\n\nShips have masts and sails.\n"


def shared(knowledge: Knowledge, kind: BackendKind) -> IngestConfig:
    """What ingests into a back end that a connection describes."""
    place = VectorsConfig(kind=kind, connection="handbook/connection")
    return knowledge.config().model_copy(update={"vectors": place})


@pytest.fixture
async def database(sqlite_dsn: str) -> AsyncIterator[Database]:
    made = await open_database(sqlite_dsn)
    yield made
    await made.close()


async def test_texts_are_ingested_and_found_where_the_service_embeds_them(database: Database, embedder: MiniLM) -> None:
    with running() as server:
        store = SnowflakeVectors(connection(server))
        knowledge = Knowledge(database, store, embedder, "demo")
        report = await knowledge.ingestion().run(contents(cats_md=CATS, ships_md=SHIPS))
        assert (report.documents, report.chunks) == (2, 2)
        found = await knowledge.retriever().retrieve("when do cats sleep", [entry()])
        assert found[0].chunk.document == "cats.md"
        await knowledge.ingestion().run(contents(ships_md=SHIPS))
        found = await knowledge.retriever().retrieve("when do cats sleep", [entry()])
        assert [one.chunk.document for one in found] == ["ships.md"]
        server.lag = True
        with pytest.raises(VectorsUnavailable, match="does not find yet"):
            await wait_until_searchable(store, collection_name("demo/handbook", report.revision), 1, seconds=0)
        await store.close()


async def test_an_index_of_the_same_name_in_another_installation_is_refused(
    database: Database, embedder: MiniLM, tmp_path: Path
) -> None:
    async with MongoServer() as server:
        store = connected("mongodb", server.uri)
        knowledge = Knowledge(database, store, embedder, "demo")
        config = shared(knowledge, "mongodb")
        await knowledge.ingestion(config).run(contents(cats_md=CATS))
        await knowledge.ingestion(config).run(contents(cats_md=CATS))
        other = await open_database(f"sqlite:///{tmp_path}/other.db")
        with pytest.raises(
            CollectionTaken, match=f"belongs to demo/handbook of installation {await installation_id(database)}"
        ):
            await Knowledge(other, store, embedder, "demo").ingestion(config).run(contents(ships_md=SHIPS))
        found = await knowledge.retriever().retrieve("cats", [entry()])
        assert [one.chunk.document for one in found] == ["cats.md"]
        await other.close()
        await store.close()


async def test_so_is_one_in_another_postgres(database: Database, embedder: MiniLM, postgres_server: str) -> None:
    store = connected("pgvector", await database_with_pgvector(postgres_server))
    knowledge = Knowledge(database, store, embedder, "demo")
    assert isinstance(store, Ownable)
    report = await knowledge.ingestion(shared(knowledge, "pgvector")).run(contents(cats_md=CATS))
    collection = collection_name("demo/handbook", report.revision)
    with pytest.raises(CollectionTaken, match="belongs to demo/handbook of installation"):
        await store.claim(collection, "demo/handbook of installation two")
    await store.drop(collection)
    await store.claim(collection, "demo/handbook of installation two")
    await store.close()
