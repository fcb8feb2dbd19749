"""The vector store of an index is opened by its kind and its connection."""

from pathlib import Path

import pytest

from slipway_crds.runtimeconfig import VectorsConfig
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.knowledge.vectors.pgvector import CREATE_EXTENSION
from slipway_runtime.knowledge.vectors.servers import VectorServers
from slipway_runtime.store.opening import open_database
from tests.runtime.knowledge.vectors.back_ends import names, statement, unit_vectors


async def test_an_index_has_a_chroma_of_its_own_or_another_by_connection(chroma_url: str, tmp_path: Path) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "url").write_text(f"{chroma_url}\n")
    opened = VectorServers(chroma_url + "/nowhere/{index}", connections=tmp_path)
    named = opened("demo/handbook", VectorsConfig(kind="chroma", connection="handbook/url"))
    await named.upsert("demo.servers.r1", names(1), unit_vectors(1))
    assert await named.count("demo.servers.r1") == 1
    assert opened("demo/handbook", VectorsConfig(kind="chroma", connection="handbook/url")) is named
    assert await opened("demo/handbook", VectorsConfig(kind="chroma")).count("demo.servers.r1") == 0
    await opened.close()


async def test_pgvector_is_in_the_store_or_in_another_postgres(postgres_dsn: str, tmp_path: Path) -> None:
    await statement(postgres_dsn, CREATE_EXTENSION)
    store = await open_database(postgres_dsn)
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "dsn").write_text(postgres_dsn)
    opened = VectorServers("http://{index}", store=store, connections=tmp_path)
    inside = opened("demo/handbook", VectorsConfig(kind="pgvector"))
    await inside.upsert("demo.servers.r1", names(3), unit_vectors(3))
    elsewhere = opened("demo/handbook", VectorsConfig(kind="pgvector", connection="handbook/dsn"))
    assert await elsewhere.count("demo.servers.r1") == 3
    await opened.close()
    assert await store.fetch("SELECT 1 AS one")  # it is not theirs to close
    await store.close()


async def test_a_connection_is_read_again_when_it_changes(chroma_url: str, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("http://127.0.0.1:9")
    opened = VectorServers("http://{index}", connections=tmp_path)
    config = VectorsConfig(kind="chroma", connection="url")
    with pytest.raises(VectorsUnavailable):
        await opened("demo/handbook", config).count("x")
    draft = tmp_path / "draft"
    draft.write_text(chroma_url)
    draft.rename(file)  # another file, as the kubelet does it
    assert await opened("demo/handbook", config).count("nothing-there") == 0
    await opened.close()


async def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    opened = VectorServers("http://{index}", connections=tmp_path)
    with pytest.raises(VectorsUnavailable, match="is there a Secret vectors with the key dsn"):
        opened("demo/handbook", VectorsConfig(kind="pgvector", connection="handbook/vectors/dsn"))
    with pytest.raises(VectorsUnavailable, match="pgvector needs a Postgres: name one as the store"):
        opened("demo/handbook", VectorsConfig(kind="pgvector"))
    with pytest.raises(VectorsUnavailable, match="kind snowflake needs a connectionRef"):
        opened("demo/handbook", VectorsConfig(kind="snowflake"))
    (tmp_path / "dsn").write_text("host=localhost password=secret")
    with pytest.raises(VectorsUnavailable, match="is not a JSON object") as failed:
        opened("demo/handbook", VectorsConfig(kind="pgvector", connection="dsn"))
    assert "secret" not in str(failed.value)
    await opened.close()
