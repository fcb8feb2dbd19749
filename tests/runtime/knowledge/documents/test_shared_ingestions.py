"""Shards, their publisher and hosts write to one build whose texts are elsewhere, and no text is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from slipway_crds.contract import UPLOADS
from slipway_crds.runtimeconfig import DocumentsConfig, IngestConfig, IngestReport, UploadsConfig
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.documents.sql_texts import SqlTexts
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion, IngestionProgress
from slipway_runtime.knowledge.ingestion.sharding import ShardOfIngestion
from slipway_runtime.knowledge.ingestion.uploads import UploadSource, uploads_of
from slipway_runtime.store.documents import Build
from slipway_runtime.store.lazy_postgres import LazyPostgres
from slipway_runtime.store.shards import Shard
from slipway_runtime.store.texts import TextKey, TextStore
from slipway_runtime.store.uploads import NewUpload, put_upload
from tests.support.knowledge import Knowledge, contents

PLACE = DocumentsConfig(kind="postgres", connection="handbook/texts/dsn")
BOATS = {f"{number}_md": f"# Boat {number}\n\nThe boat {number} is launched at noon.\n" for number in range(8)}
LATER = {f"{number}_md": f"# Boat {number}\n\nThe boat {number} is launched at dusk.\n" for number in range(1, 9)}
FIRST, SECOND = (Shard("one", number, 2) for number in range(2))


class HeldTexts:
    """A place of texts where a writer may be held after it has written its text, before its row is there."""

    def __init__(self, texts: SqlTexts) -> None:
        self._texts = texts
        self.held_name = ""
        self.reached, self.released = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._texts, name)

    async def put_text(self, build: Build, key: TextKey, text: str) -> None:
        """See `TextStore`."""
        await self._texts.put_text(build, key, text)
        if key.name == self.held_name:
            self.reached.set()
            await self.released.wait()


@dataclass
class Shared:
    """An index whose documents several processes take."""

    knowledge: Knowledge
    held: HeldTexts
    uploads: UploadsConfig | None = field(default=None)

    async def open(self, index: str, config: DocumentsConfig, /) -> TextStore:
        """See `OpenTexts`."""
        texts: Any = self.held
        opened: TextStore = texts
        return opened

    @property
    def index(self) -> str:
        return f"{self.knowledge.namespace}/handbook"

    @property
    def config(self) -> IngestConfig:
        changes = {"documents": PLACE, "keep_seconds": 0, "uploads": self.uploads}
        return self.knowledge.config().model_copy(update=changes)

    def ingestion(self, **more: Any) -> Ingestion:
        return self.knowledge.ingestion(self.config, texts=self.open, patience=30.0, **more)

    async def run(self, shard: Shard, documents: dict[str, str]) -> IngestReport | None:
        """What the pod of a shard does."""

        def make(part: Shard | None, progress: Callable[[IngestionProgress], None]) -> Ingestion:
            return self.ingestion(progress=progress, shard=part)

        sources = [*contents(**documents), *uploads_of(self.config, self.knowledge.database)]
        part = ShardOfIngestion(shard, self.index, self.knowledge.database, make, lambda _: None, 30.0)
        return await part.run(sources)

    async def texts(self, report: IngestReport | None) -> dict[str, str]:
        """The text of each document of a build, by name. Fails if one has none, or a text has no document."""
        assert report is not None
        build, store = Build(self.index, report.revision), DocumentStore(self.knowledge.database, self.open)
        listed = await store.search_documents(build)
        assert {each.state for each in listed} <= {"embedded"}
        found = {}
        for each in listed:
            document = await store.get_document(build, each.source, each.name)
            assert document is not None, f"{each.name} has lost its text"
            found[each.name] = document.text
        assert len(await self.held.text_keys(build)) == len(found)
        return found

    async def upload(self, name: str, text: str) -> None:
        content = text.encode()
        await put_upload(
            self.knowledge.database,
            self.index,
            NewUpload(
                id=name, name=name, content_type="", metadata="{}", version=text, content=content, uploaded_by="ann"
            ),
        )


@pytest.fixture
async def shared(served: Knowledge, store_dsn: str) -> AsyncIterator[Shared]:
    texts = SqlTexts(LazyPostgres(store_dsn, connections=2), installation="here")
    yield Shared(served, HeldTexts(texts))
    await texts.close()


def named(documents: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): text for name, text in documents.items()}


def name_in(shard: Shard, names: Sequence[str]) -> str:
    """A document of a shard."""
    return next(name for name in names if shard.has(("docs", name)))


async def test_shards_at_once_lose_no_text_and_the_publisher_removes_former_ones(shared: Shared) -> None:
    for ingestion, documents in (("one", BOATS), ("two", LATER)):
        shards = [Shard(ingestion, number, 4) for number in range(4)]
        reports = await asyncio.gather(*(shared.run(shard, documents) for shard in shards))
        [report] = [each for each in reports if each is not None]
        assert await shared.texts(report) == named(documents)


async def test_a_text_whose_row_is_not_there_yet_survives_the_end_of_another_shard(shared: Shared) -> None:
    shared.held.held_name = name_in(FIRST, sorted(named(BOATS)))
    first = asyncio.create_task(shared.run(FIRST, BOATS))
    await asyncio.wait_for(shared.held.reached.wait(), 60)
    assert await shared.run(SECOND, BOATS) is None, "the other shard publishes"
    shared.held.released.set()
    assert await shared.texts(await first) == named(BOATS)


async def test_a_host_that_embeds_an_upload_removes_no_text_of_a_shard(shared: Shared) -> None:
    shared.uploads = UploadsConfig()
    alone = Shard("none", 0, 1)
    await shared.run(alone, BOATS)
    await shared.upload("note.md", "# Note\n\nThe harbour is closed on Mondays.\n")
    shared.held.held_name = name_in(FIRST, sorted(named(LATER)))
    first = asyncio.create_task(shared.run(FIRST, LATER))
    await asyncio.wait_for(shared.held.reached.wait(), 60)
    source = UploadSource(shared.knowledge.database, shared.index, again=False)
    await shared.ingestion(owner="host").update(source)
    shared.held.released.set()
    assert await first is None
    texts = await shared.texts(await shared.run(SECOND, LATER))
    assert texts == named(LATER) | {"note.md": "# Note\n\nThe harbour is closed on Mondays.\n"}


async def test_a_shard_keeps_the_states_of_another(shared: Shared) -> None:
    bad: dict[str, Any] = {f"bad_{number}_md": b"\xff\xff" for number in range(4)}
    await shared.run(FIRST, BOATS | bad)
    store = DocumentStore(shared.knowledge.database, shared.open)

    async def failed() -> set[str]:
        [row] = await shared.knowledge.database.fetch(
            "SELECT DISTINCT revision FROM documents WHERE index_name = $1", shared.index
        )
        listed = await store.search_documents(Build(shared.index, str(row["revision"])))
        return {each.name for each in listed if each.state == "failed"}

    before = await failed()
    assert before == {name for name in named(bad) if FIRST.has(("docs", name))}
    assert 0 < len(before) < len(bad)
    await shared.knowledge.ingestion(shared.config, texts=shared.open, shard=SECOND).take_share(contents(**BOATS | bad))
    assert await failed() == set(named(bad))


async def test_uploads_have_their_text_there_too(shared: Shared) -> None:
    shared.uploads = UploadsConfig()
    await shared.upload("note.md", "The harbour is closed on Mondays.")
    report = await shared.run(Shard("one", 0, 1), BOATS)
    assert (await shared.texts(report))["note.md"] == "The harbour is closed on Mondays."
    build = Build(shared.index, report.revision if report is not None else "")
    assert {key.name for key in await shared.held.text_keys(build) if key.source == UPLOADS} == {"note.md"}
