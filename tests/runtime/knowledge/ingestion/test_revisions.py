"""While another build is made, and when the one before is served again, nobody is without an answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import EmbeddingConfig, IngestConfig, IngestReport, VectorsConfig
from slipway_runtime.knowledge.embedding.embedder import Matrix
from slipway_runtime.knowledge.embedding.opening import Embedders
from slipway_runtime.knowledge.ingestion.acceptance import Acceptance
from slipway_runtime.knowledge.ingestion.fingerprint import FingerprintMismatch
from slipway_runtime.knowledge.ingestion.serving import (
    BuildNotKept,
    BuildOpening,
    ServedBuild,
    config_to_serve,
    revision_of,
)
from slipway_runtime.knowledge.ingestion.sources import ItemsSource
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.knowledge.vectors.contract import VectorsRefused, VectorStore
from slipway_runtime.knowledge.vectors.pgvector import Pgvector
from slipway_runtime.store.documents import revisions
from slipway_runtime.store.former_builds import former_builds
from slipway_runtime.store.pointers import read_pointer, write_pointer
from tests.support.embedding_server import EmbeddingServer, embedding_server
from tests.support.knowledge import Knowledge, contents, entry

DOCUMENTS = {
    f"{name}.md": f"# {name}\n\nThe {name} is kept in the {place} of the ship.\n"
    for name, place in [("anchor", "bow"), ("rudder", "stern"), ("compass", "cabin"), ("lantern", "masthead")]
}
QUESTIONS = {f"Where is the {name.removesuffix('.md')} kept?": name for name in DOCUMENTS}
CHROMA, PGVECTOR = VectorsConfig(), VectorsConfig(kind="pgvector")


@dataclass
class Fleet:
    """An index whose vectors may be in either place and of either model, and who reads it."""

    knowledge: Knowledge
    embedders: Embedders
    pgvector: VectorStore
    service: EmbeddingConfig
    texts: dict[str, str] = field(default_factory=lambda: dict(DOCUMENTS))

    def vectors(self, _: str, place: VectorsConfig, /) -> VectorStore:
        return self.pgvector if place == PGVECTOR else self.knowledge.vectors

    def config(self, **changes: Any) -> IngestConfig:
        return self.knowledge.config().model_copy(update=changes)

    @property
    def index(self) -> str:
        return f"{self.knowledge.namespace}/handbook"

    @contextmanager
    def sources(self) -> Iterator[list[ItemsSource]]:
        yield contents(**self.texts)

    async def ingest(self, config: IngestConfig, sources: Sequence[Any] = (), **more: Any) -> IngestReport:
        """As `run_ingestion` does, with what is given besides."""
        own = revision_of(config, self.embedders)
        config = await config_to_serve(config, database=self.knowledge.database, embedders=self.embedders)
        ingestion = self.opening.ingestion(config, patience=5.0, kept=frozenset({own}), **more)
        return await ingestion.run(sources or contents(**self.texts))

    @property
    def opening(self) -> BuildOpening:
        return BuildOpening(self.knowledge.database, self.embedders, self.vectors, self.sources)

    def retriever(self) -> Retriever:
        return Retriever(
            self.knowledge.namespace,
            database=self.knowledge.database,
            embedder=self.knowledge.embedder,
            embedders=self.embedders,
            vectors=self.vectors,
        )

    async def served(self) -> str:
        pointer = await read_pointer(self.knowledge.database, self.index)
        assert pointer is not None
        return pointer.revision

    @asynccontextmanager
    async def asked_all_the_time(self) -> AsyncIterator[list[str]]:
        """Questions one after the other, whose answers must be right, until the body ends. Gives the answers."""
        retriever, found, stopped = self.retriever(), list[str](), asyncio.Event()

        async def ask() -> None:
            while not stopped.is_set():
                for question, document in QUESTIONS.items():
                    best = await retriever.retrieve(question, [entry()])
                    assert [each.chunk.document for each in best][:1] == [document]
                    assert len({each.build for each in best}) == 1
                    found.append(best[0].build.revision)

        askers = [asyncio.create_task(ask()) for _ in range(2)]
        try:
            yield found
        finally:
            stopped.set()
            await asyncio.gather(*askers)


@pytest.fixture
async def service(embedder: Any) -> AsyncIterator[EmbeddingServer]:
    async with embedding_server(embedder) as made:
        yield made


@pytest.fixture
async def fleet(served: Knowledge, service: EmbeddingServer, tmp_path: Any) -> AsyncIterator[Fleet]:
    """Chroma as a server, pgvector in a Postgres, MiniLM, and a service with 512 dimensions."""
    embedders = Embedders(served.embedder, connections=lambda _: tmp_path, models=lambda *_: tmp_path)
    config = EmbeddingConfig(
        provider="openai-compatible", model="wide", dimensions=512, base_url=f"{service.url}/v1", batch=8
    )
    await served.database.execute("CREATE EXTENSION IF NOT EXISTS vector")
    yield Fleet(served, embedders, Pgvector(served.database), config)
    await embedders.close()


async def test_questions_are_answered_while_an_index_moves_and_while_it_moves_back(
    fleet: Fleet, service: EmbeddingServer
) -> None:
    """Chroma to pgvector, 384 dimensions to 512, and back to each build before."""
    first = await fleet.ingest(fleet.config())
    async with fleet.asked_all_the_time() as answered:
        moved = await fleet.ingest(fleet.config(vectors=PGVECTOR), acceptance=Acceptance())
        wide = fleet.config(vectors=PGVECTOR, embedding=fleet.service)
        wider = await fleet.ingest(wide, acceptance=Acceptance())
        asked = len(service.requests)
        back = await fleet.ingest(wide.model_copy(update={"serve": "previous"}))
        forward = await fleet.ingest(wide)
        embedded = [each for each in service.requests[asked:] if not set(each["input"]) <= set(QUESTIONS)]
    assert (moved.refused, wider.refused, embedded) == ((), (), [])
    assert [each.revision for each in (back, forward)] == [moved.revision, wider.revision]
    assert len({first.revision, moved.revision, wider.revision}) == 3
    assert set(answered) >= {first.revision, wider.revision}
    assert forward.previous is not None
    assert forward.previous.revision == moved.revision


async def test_the_previous_build_stays_the_one_that_is_served_and_gets_what_changed(fleet: Fleet) -> None:
    first = await fleet.ingest(fleet.config())
    second = await fleet.ingest(fleet.config(vectors=PGVECTOR))
    back = fleet.config(vectors=PGVECTOR, serve="previous")
    assert (await fleet.ingest(back)).revision == first.revision
    fleet.texts["pump.md"] = "# pump\n\nThe pump is kept in the bilge of the ship.\n"
    again = await fleet.ingest(back)
    assert (again.revision, again.documents) == (first.revision, 5)
    found = await fleet.retriever().retrieve("Where is the pump kept?", [entry()])
    assert found[0].chunk.document == "pump.md"
    by_name = await fleet.ingest(fleet.config(vectors=PGVECTOR, serve=first.revision))
    assert by_name.revision == first.revision
    assert await revisions(fleet.knowledge.database, fleet.index) == {first.revision, second.revision}


async def test_a_build_that_is_not_kept_any_more_is_removed_where_it_is(fleet: Fleet) -> None:
    first = await fleet.ingest(fleet.config(vectors=PGVECTOR))
    kept = await fleet.ingest(fleet.config(keep_seconds=3600))
    assert kept.previous is not None
    assert kept.previous.revision == first.revision
    collection = collection_name(fleet.index, first.revision)
    assert await fleet.pgvector.exists(collection)
    after = await fleet.ingest(fleet.config(keep_seconds=0))
    assert after.previous is None
    assert not await fleet.pgvector.exists(collection)
    assert await former_builds(fleet.knowledge.database, fleet.index) == []
    with pytest.raises(BuildNotKept, match="no build was served before, or it is not kept any more"):
        await fleet.ingest(fleet.config(keep_seconds=0, serve="previous"))


async def test_a_build_that_pods_cannot_reach_any_more_is_not_served(fleet: Fleet) -> None:
    await fleet.ingest(fleet.config(embedding=fleet.service))
    second = await fleet.ingest(fleet.config())
    with pytest.raises(BuildNotKept, match=r"no longer names the embedding model .* put its settings back"):
        await fleet.ingest(fleet.config(serve="previous"))
    assert await fleet.served() == second.revision


async def test_what_changes_while_a_build_is_made_reaches_agents_at_once(fleet: Fleet) -> None:
    first = await fleet.ingest(fleet.config())
    other = fleet.config(vectors=PGVECTOR)
    served = ServedBuild(other, fleet.opening, every=0)
    seen: list[str] = []
    before = contents(**fleet.texts)

    async def meanwhile() -> None:
        fleet.texts["pump.md"] = "# pump\n\nThe pump is kept in the bilge of the ship.\n"
        fleet.texts.pop("lantern.md", None)
        await served.follow()
        found = await fleet.retriever().retrieve("Where is the pump kept?", [entry()])
        seen.append(f"{found[0].build.revision}/{found[0].chunk.document}")

    report = await fleet.ingest(other, before, meanwhile=meanwhile)
    served.close()
    assert set(seen) == {f"{first.revision}/pump.md"}
    assert (await fleet.served(), report.documents) == (report.revision, 4)
    assert (await fleet.ingest(other)).documents == 4, "the next ingestion has what changed"


async def test_a_build_that_is_itself_brought_up_to_date_is_not_followed(fleet: Fleet) -> None:
    """With shards, others write to it at the same time."""
    first = await fleet.ingest(fleet.config())
    wanted = fleet.config(vectors=PGVECTOR)
    fleet.texts["pump.md"] = "# pump\n\nThe pump is kept in the bilge of the ship.\n"
    for making, documents in ((first.revision, 4), ("", 5)):
        served = ServedBuild(wanted, fleet.opening, making=making, every=0)
        await served.follow()
        served.close()
        pointer = await read_pointer(fleet.knowledge.database, fleet.index)
        assert pointer is not None
        assert (pointer.revision, pointer.documents) == (first.revision, documents)


async def test_sources_that_become_empty_do_not_empty_what_agents_read(fleet: Fleet) -> None:
    first = await fleet.ingest(fleet.config())
    served = ServedBuild(fleet.config(vectors=PGVECTOR), fleet.opening, every=0)
    fleet.texts.clear()
    await served.follow()
    served.close()
    pointer = await read_pointer(fleet.knowledge.database, fleet.index)
    assert pointer is not None
    assert (pointer.revision, pointer.documents) == (first.revision, 4)


async def test_vectors_of_another_fingerprint_are_not_written(local: Knowledge) -> None:
    await local.ingestion().run(contents(**DOCUMENTS))
    pointer = await read_pointer(local.database, "demo/handbook")
    assert pointer is not None
    await write_pointer(local.database, replace(pointer, fingerprint="f" * 64))
    collection = collection_name("demo/handbook", pointer.revision)
    more = contents(**DOCUMENTS, pump_md="# pump\n\nThe pump is kept in the bilge.\n")
    for write in (local.ingestion().run(more), local.ingestion().follow(more), local.ingestion().update(more[0])):
        with pytest.raises(FingerprintMismatch, match="nothing was written"):
            await write
    assert await local.vectors.count(collection) == len(DOCUMENTS)


async def test_vectors_of_another_dimension_are_not_written(local: Knowledge) -> None:
    class Short:
        """The real embedder, whose vectors have lost a number."""

        def __getattr__(self, name: str) -> Any:
            return getattr(local.embedder, name)

        async def embed_texts(self, texts: Sequence[str], **kwargs: Any) -> Matrix:
            return (await local.embedder.embed_texts(texts, **kwargs))[:, :-1]

    before = await local.ingestion().run(contents(**DOCUMENTS))
    short = Knowledge(local.database, local.vectors, Short(), "demo")  # type: ignore[arg-type]
    more = contents(**DOCUMENTS, pump_md="# pump\n\nThe pump is kept in the bilge.\n")
    with pytest.raises(VectorsRefused, match="dimension"):
        await short.ingestion(patience=0).run(more)
    assert await local.vectors.count(collection_name("demo/handbook", before.revision)) == len(DOCUMENTS)
