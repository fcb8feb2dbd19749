"""An index with an embedding service, beside one that is searched with MiniLM."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipway_crds.runtimeconfig import EmbeddingConfig, UploadsConfig
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.host.uploads import UploadEmbedding
from slipway_runtime.knowledge.embedding.opening import Embedders
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.ingestion.uploads import upload_version
from slipway_runtime.knowledge.retrieval.retriever import IndexNotReady, Retriever
from slipway_runtime.store.pointers import read_pointer
from slipway_runtime.store.uploads import NewUpload, indexes_behind, put_upload
from tests.support.embedding_server import EmbeddingServer, embedding_server
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.scripts import hosted
from tests.support.sentence_model import sentence_model

CATS = "# Cats\n\nCats sleep for most of the day.\n"
LOCKS = "# Locks\n\nA lock of the Kiel Canal is filled in eight minutes.\n"


@pytest.fixture
async def server(local: Knowledge) -> AsyncIterator[EmbeddingServer]:
    async with embedding_server(local.embedder) as made:
        yield made


@pytest.fixture
async def embedders(local: Knowledge, tmp_path: Path) -> AsyncIterator[Embedders]:
    made = Embedders(local.embedder, connections=lambda _: tmp_path, models=lambda *_: tmp_path)
    yield made
    await made.close()


def configured(server: EmbeddingServer, model: str = "m-1") -> EmbeddingConfig:
    return EmbeddingConfig(
        provider="openai-compatible", model=model, dimensions=512, base_url=f"{server.url}/v1", timeout_seconds=5
    )


async def ingest(local: Knowledge, embedders: Embedders, index: str, embedding: EmbeddingConfig, text: str) -> str:
    config = local.config(index=index).model_copy(update={"embedding": embedding})
    ingestion = Ingestion(
        config,
        database=local.database,
        vectors=local.vectors,
        embedder=embedders(f"{local.namespace}/{index}", embedding),
        patience=1,
    )
    return (await ingestion.run(contents(text_md=text))).revision


def retriever(local: Knowledge, embedders: Embedders) -> Retriever:
    return Retriever(
        local.namespace,
        database=local.database,
        embedder=local.embedder,
        vectors=lambda *_: local.vectors,
        embedders=embedders,
    )


async def test_each_index_is_searched_with_its_own_model(
    local: Knowledge, embedders: Embedders, server: EmbeddingServer
) -> None:
    await ingest(local, embedders, "cats", EmbeddingConfig(), CATS)
    await ingest(local, embedders, "locks", configured(server), LOCKS)
    pointer = await read_pointer(local.database, f"{local.namespace}/locks")
    assert pointer is not None
    assert pointer.embedding == configured(server)
    entries = [entry(index="cats", name="cats", min_score=0.1), entry(index="locks", name="locks", min_score=0.1)]
    searching = retriever(local, embedders)
    for _ in range(2):  # also with what it remembers of both
        found = await searching.retrieve("How long does it take to fill a lock?", entries)
        assert "eight minutes" in found[0].chunk.text
        assert {each.knowledge.index for each in found} == {"cats", "locks"}
    assert [each["input"] for each in server.requests[-2:]] == [["How long does it take to fill a lock?"]] * 2


async def test_another_model_is_another_build_and_agents_follow(
    local: Knowledge, embedders: Embedders, server: EmbeddingServer
) -> None:
    first = await ingest(local, embedders, "locks", EmbeddingConfig(), LOCKS)
    searching = retriever(local, embedders)
    assert await searching.retrieve("lock", [entry(index="locks", name="locks", min_score=0.1)])
    second = await ingest(local, embedders, "locks", configured(server), LOCKS)
    third = await ingest(local, embedders, "locks", configured(server, "m-2"), LOCKS)
    assert len({first, second, third}) == 3
    assert await searching.retrieve("lock", [entry(index="locks", name="locks", min_score=0.1)])
    assert server.requests[-1]["model"] == "m-2"


async def test_what_is_uploaded_is_embedded_by_the_indexs_own_service(
    local: Knowledge, embedders: Embedders, server: EmbeddingServer
) -> None:
    index = f"{local.namespace}/locks"
    taking = local.config(index="locks").model_copy(
        update={"embedding": configured(server), "uploads": UploadsConfig()}
    )
    made = Ingestion(
        taking, database=local.database, vectors=local.vectors, embedder=embedders(index, taking.embedding), patience=1
    )
    await made.run(contents(text_md=LOCKS))
    content = b"A ferry across the Elbe takes ten minutes."
    ferry = NewUpload("f" * 32, "ferry.md", "", "{}", upload_version(content, "", "{}"), content, "ann")
    await put_upload(local.database, index, ferry)
    dependencies = AgentDependencies(
        database=local.database, embedder=local.embedder, vectors=lambda *_: local.vectors, embedders=embedders
    )
    served = hosted(None)
    reading = served.config.model_copy(update={"knowledge": (entry(index="locks"),)})
    reader = replace(served, config=reading, dependencies=dependencies)
    embedding = UploadEmbedding(local.database, owner="one", agents=lambda: {reader.key: reader})
    server.faults.append((401, {}))
    await embedding.embed()  # the key is refused: it waits
    assert [each[0] for each in await indexes_behind(local.database, [index])] == [index]
    await embedding.embed()
    assert await indexes_behind(local.database, [index]) == []
    found = await retriever(local, embedders).retrieve("How long does the ferry take?", [entry(index="locks")])
    assert found[0].chunk.document == "ferry.md"


async def test_without_its_service_an_index_is_not_ready(
    local: Knowledge, embedders: Embedders, server: EmbeddingServer
) -> None:
    await ingest(local, embedders, "locks", configured(server), LOCKS)
    server.faults.append((503, {}))
    with pytest.raises(IndexNotReady, match="cannot be searched now: the embedding service answers 503"):
        await retriever(local, embedders).retrieve("lock", [entry(index="locks", name="locks", min_score=0.1)])


async def test_an_index_with_a_model_in_files_is_searched_with_it(
    local: Knowledge, embedders: Embedders, tmp_path: Path
) -> None:
    digest = sentence_model(tmp_path, dimensions=64)
    onnx = EmbeddingConfig(provider="onnx", model="locks/a", dimensions=0, max_tokens=512, graph_digest=digest)
    await ingest(local, embedders, "locks", onnx, LOCKS)
    searching, entries = retriever(local, embedders), [entry(index="locks", name="locks", min_score=0.0)]
    found = await searching.retrieve("A lock of the Kiel Canal is filled", entries)
    assert "eight minutes" in found[0].chunk.text
    sentence_model(tmp_path, dimensions=64, seed=8)  # another model, which this process does not have in memory
    restarted = Embedders(local.embedder, connections=lambda _: tmp_path, models=lambda *_: tmp_path)
    with pytest.raises(IndexNotReady, match=f"not {digest}: correct spec.embedding.onnx.digest, or the file"):
        await retriever(local, restarted).retrieve("lock", entries)
    await restarted.close()
