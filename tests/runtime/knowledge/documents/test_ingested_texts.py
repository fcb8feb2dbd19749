"""Ingestions, answers and document resources with texts in MongoDB. Contract-tested, not verified live."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from slipway_crds.runtimeconfig import DocumentsConfig, IngestConfig, SearchConfig
from slipway_runtime.agents.direct_tools import DirectTools
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.agents.passages import given, verified
from slipway_runtime.knowledge.access import reading_for
from slipway_runtime.knowledge.documents.opening import TextStores
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.ingestion.purging import purge_index
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.problems import Problem
from slipway_runtime.store.documents import Build
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.mongo_server import MongoServer
from tests.support.scripts import hosted

PLACE = DocumentsConfig(kind="mongodb", connection="handbook/texts/uri")
INDEX = "demo/handbook"
CATS = "# Cats\n\nCats sleep for most of the day.\n\nThey hunt at dawn."
QUESTION = "How long do cats sleep?"


@dataclass(frozen=True)
class Made:
    """An index whose texts are in MongoDB."""

    local: Knowledge
    mongo: MongoServer
    texts: TextStores

    async def ingest(self, place: DocumentsConfig = PLACE, *, neighbours: int = 0, **documents: str | bytes) -> Build:
        config = self.config(place, neighbours=neighbours)
        ingestion = Ingestion(
            config,
            database=self.local.database,
            vectors=self.local.vectors,
            embedder=self.local.embedder,
            texts=self.texts,
            patience=5,
        )
        return Build(INDEX, (await ingestion.run(contents(**documents))).revision)

    def config(self, place: DocumentsConfig, *, neighbours: int = 0) -> IngestConfig:
        search = SearchConfig(neighbours=neighbours)
        return self.local.config().model_copy(update={"documents": place, "search": search, "keep_seconds": 0})

    @property
    def dependencies(self) -> AgentDependencies:
        return AgentDependencies(
            database=self.local.database,
            embedder=self.local.embedder,
            vectors=lambda *_: self.local.vectors,
            texts=self.texts,
        )

    def kept(self) -> set[str]:
        """The texts in MongoDB."""
        return {row["text"] for row in self.mongo.collections.get("slipway.documents", {}).values()}


@pytest.fixture
async def made(local: Knowledge, tmp_path: Path) -> AsyncIterator[Made]:
    async with MongoServer() as mongo:
        file = tmp_path / "connections" / str(PLACE.connection)
        file.parent.mkdir(parents=True)
        file.write_text(mongo.uri)
        texts = TextStores(local.database, connections=lambda _: tmp_path / "connections")
        yield Made(local, mongo, texts)
        await texts.close()


async def test_answers_and_resources_show_the_text_from_there(made: Made) -> None:
    await made.ingest(a_md=CATS, neighbours=1)
    assert made.kept() == {CATS}
    rows = await made.local.database.fetch("SELECT text FROM documents")
    assert [row["text"] for row in rows] == [""]
    retriever = Retriever(
        "demo",
        database=made.local.database,
        embedder=made.local.embedder,
        vectors=lambda *_: made.local.vectors,
        texts=made.texts,
    )
    found = await retriever.retrieve(QUESTION, [entry()])
    assert all(found[0].verified)
    [passage] = await verified(made.dependencies.documents, given(found[:1]))
    assert passage.text in CATS
    assert "Cats sleep" in passage.text
    citation = passage.citation("Cats sleep for most of the day.")
    assert CATS[citation.start : citation.end] == citation.quote == "Cats sleep for most of the day."
    config = hosted(None).config.model_copy(update={"knowledge": (entry(),)})
    read = await DirectTools(config, made.dependencies).document("handbook", "docs", "a.md")
    assert read == {"text": CATS, "media_type": "text/markdown"}


async def test_a_text_that_was_changed_there_is_not_quoted(made: Made) -> None:
    await made.ingest(a_md=CATS)
    for row in made.mongo.collections["slipway.documents"].values():
        row["text"] = CATS.replace("most", "none")
    retriever = Retriever(
        "demo",
        database=made.local.database,
        embedder=made.local.embedder,
        vectors=lambda *_: made.local.vectors,
        texts=made.texts,
    )
    found = await retriever.retrieve(QUESTION, [entry()])
    assert not all(found[0].verified)
    assert await verified(made.dependencies.documents, given(found[:1])) == []


async def test_what_leaves_the_source_leaves_it_and_what_changes_is_replaced(made: Made) -> None:
    await made.ingest(a_md=CATS, b_md="Dogs bark.", c_md="Cows chew.")
    await made.ingest(a_md=CATS, b_md="Dogs bark loudly.")
    assert made.kept() == {CATS, "Dogs bark loudly."}


async def test_another_place_is_another_build_and_the_former_one_s_texts_go(made: Made) -> None:
    first = await made.ingest(a_md=CATS)
    second = await made.ingest(DocumentsConfig(), a_md=CATS)
    assert second != first
    assert await made.dependencies.documents.get_document(second, "docs", "a.md") is not None
    await made.ingest(DocumentsConfig(), a_md=CATS)
    assert made.kept() == set()


async def test_a_purge_removes_the_texts(made: Made) -> None:
    await made.ingest(a_md=CATS)
    local = made.local
    await purge_index(INDEX, database=local.database, vectors=local.vectors, texts=made.texts, documents=PLACE)
    assert made.kept() == set()


async def test_who_may_not_read_a_document_is_told_that_there_is_none(made: Made) -> None:
    config = made.config(PLACE).model_copy(update={"search": SearchConfig(restricted=True)})
    ingestion = Ingestion(
        config,
        database=made.local.database,
        vectors=made.local.vectors,
        embedder=made.local.embedder,
        texts=made.texts,
    )
    await ingestion.run(contents(a_md=f"---\naccess: [hr]\n---\n{CATS}"))
    tools = DirectTools(hosted(None).config.model_copy(update={"knowledge": (entry(),)}), made.dependencies)
    with pytest.raises(Problem, match="no such document"):
        await tools.document("handbook", "docs", "a.md")
    with reading_for(("hr",)):
        assert "Cats sleep" in (await tools.document("handbook", "docs", "a.md"))["text"]


async def test_a_document_that_cannot_be_read_has_a_state_and_a_reason(made: Made) -> None:
    build = await made.ingest(a_md=CATS, b_pdf=b"%PDF-1.7 torn")
    failed = [each for each in await made.dependencies.documents.search_documents(build) if each.state == "failed"]
    assert [each.name for each in failed] == ["b.pdf"]
    assert failed[0].reason
    await made.ingest(a_md=CATS)
    assert [each.state for each in await made.dependencies.documents.search_documents(build)] == ["embedded"]


async def test_a_text_that_was_removed_there_is_kept_again_by_the_next_ingestion(made: Made) -> None:
    build = await made.ingest(a_md=CATS, b_md="Dogs bark.")
    texts = made.mongo.collections["slipway.documents"]
    for key in [key for key, row in texts.items() if row["text"] == CATS]:
        del texts[key]
    assert await made.dependencies.documents.get_document(build, "docs", "a.md") is None
    await made.ingest(a_md=CATS, b_md="Dogs bark.")
    assert made.kept() == {CATS, "Dogs bark."}
