"""What sources and back ends may do to an ingestion: it ends in a whole index, or says what is the matter."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import GitConfig, VectorsConfig
from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.ingestion.sources import DocumentRef, ItemsSource, LoadedDocument
from slipway_runtime.knowledge.ingestion.sources.files import FolderSource
from slipway_runtime.knowledge.ingestion.sources.git import GitRepository
from slipway_runtime.knowledge.ingestion.sources.servers import SourceServer
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from slipway_runtime.knowledge.vectors.external import CollectionTaken
from slipway_runtime.knowledge.vectors.servers import connected
from slipway_runtime.store.opening import open_database
from tests.runtime.knowledge.vectors.back_ends import database_with_pgvector
from tests.support import servers
from tests.support.git_server import git_server
from tests.support.killed_ingestion import StubEmbedder
from tests.support.knowledge import Knowledge, contents, entry

CATS = "# Cats\n\nCats sleep for most of the day. They hunt at night.\n"


async def test_identical_documents_are_all_there_and_are_found(local: Knowledge) -> None:
    report = await local.ingestion().run(contents(**{f"cats{number}_md": CATS for number in range(8)}))
    assert (report.documents, report.chunks, report.failed) == (8, 8, 0)
    assert await local.vectors.count(collection_name("demo/handbook", report.revision)) == 8
    found = await local.retriever().retrieve("when do cats sleep?", [entry(top_k=3)])
    assert {each.chunk.text for each in found} == {"Cats sleep for most of the day. They hunt at night."}


async def test_a_document_of_a_hundred_megabytes_is_named_and_the_others_are_ingested(
    local: Knowledge, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "cats.md").write_text(CATS)
    with (folder / "huge.md").open("wb") as huge:
        huge.truncate(100 * 2**20)
    report = await local.ingestion().run([FolderSource("docs", folder)])
    assert (report.documents, report.failed) == (1, 1)
    assert report.failures == (
        "docs/huge.md: too large: it has 100 MiB, and at most 20 MiB are read; split it, or leave it out",
    )


async def test_two_installations_do_not_write_to_one_collection(
    local: Knowledge, tmp_path: Path, postgres_server: str
) -> None:
    """Of one installation, each index has a collection of its own."""
    vectors = connected("pgvector", await database_with_pgvector(postgres_server))
    elsewhere = VectorsConfig(kind="pgvector", connection="handbook/postgres/dsn")
    config = local.config().model_copy(update={"vectors": elsewhere})
    first = replace(local, vectors=vectors)
    report = await first.ingestion(config).run(contents(cats_md=CATS))
    await first.ingestion(config.model_copy(update={"index": "other"})).run(contents(cats_md=CATS))
    second = replace(first, database=await open_database(f"sqlite:///{tmp_path}/another.db"))
    with pytest.raises(CollectionTaken, match="demo/handbook"):
        await second.ingestion(config).run(contents(boats_md="# Boats\n\nBoats float.\n"))
    assert await vectors.count(collection_name("demo/handbook", report.revision)) == 1
    await second.database.close()
    await vectors.close()


class Stopping(ItemsSource):
    """Kills the vectors' server while the third document is loaded, and has it started again."""

    def __init__(self, items: dict[str, bytes], server: servers.ChromaServer) -> None:
        super().__init__("docs", items)
        self._server = server
        self._loaded = 0
        self.starting: asyncio.Task[None] | None = None

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        self._loaded += 1
        if self._loaded == 3:
            self._server.stop(kill=True)
            self.starting = asyncio.create_task(asyncio.to_thread(self._server.start))
        return await super().load(ref)


@pytest.mark.deep
async def test_a_back_end_that_stops_in_the_middle_and_comes_back_has_everything(
    local: Knowledge, tmp_path: Path
) -> None:
    server = servers.ChromaServer(tmp_path)
    server.start()
    vectors = ChromaServer(server.url)
    source = Stopping({f"cats-{number}.md": CATS.encode() for number in range(6)}, server)
    report = await replace(local, vectors=vectors).ingestion(patience=120).run([source])
    assert source.starting is not None
    await source.starting
    assert report.documents == 6
    assert await vectors.count(collection_name("demo/handbook", report.revision)) == report.chunks == 6
    await vectors.close()
    server.stop()


@pytest.mark.deep
async def test_a_repository_of_fifty_thousand_files_is_ingested(
    served: Knowledge, tmp_path: Path, postgres_server: str
) -> None:
    files: dict[str, Any] = {f"d{n // 500}/{n}.md": f"# File {n}\n\nThis is file {n}.\n" for n in range(50_000)}
    (tmp_path / "git").mkdir()
    (tmp_path / "fetched").mkdir()
    vectors = connected("pgvector", await database_with_pgvector(postgres_server))
    stub: Any = StubEmbedder()
    config = served.config()
    with git_server(tmp_path / "git") as server:
        server.commit("handbook", files)
        place = SourceServer(AddressRule(loopback=True), tmp_path / "files", signed_in=False)
        for changed in (0, 1):
            if changed:
                server.commit("handbook", {"d0/0.md": None, "d0/1.md": "# File 1\n\nThis is another file.\n"})
            ingestion = Ingestion(config, database=served.database, vectors=vectors, embedder=stub)
            git = GitConfig(url=server.url("handbook"))
            with closing(GitRepository("docs", git, place, tmp_path / "fetched")) as source:
                report = await ingestion.run([source])
            assert (report.documents, report.failed) == (50_000 - changed, 0)
    assert await vectors.count(collection_name(f"{served.namespace}/handbook", report.revision)) == report.chunks
    await vectors.close()
