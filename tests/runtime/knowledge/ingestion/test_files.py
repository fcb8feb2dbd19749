"""Files of all formats side by side: what can be read is found, what cannot is named, nothing is made twice."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from slipway_crds.contract import collection_name
from slipway_runtime.knowledge.embedding.embedder import Matrix
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.ingestion.sources import DocumentRef, ItemsSource, LoadedDocument
from slipway_runtime.knowledge.ingestion.sources.contract import NOTHING, content_version
from slipway_runtime.knowledge.retrieval.extractive import choose, quotes
from slipway_runtime.knowledge.vectors.filters import Attributes
from slipway_runtime.store.documents import Build, chunk_ids, read_chunks
from tests.support.document_files import bomb, pdf, slides, word
from tests.support.knowledge import Knowledge, entry

GUIDE = """---
title: Guide
team: [water, power]
reviewed: 2026-03-01
owner: {name: Ada}
---
# Guide

Basins are cleaned in spring.
"""


@dataclass(frozen=True)
class Labelled:
    """A source that says something about its documents."""

    name: str
    items: Mapping[str, bytes]
    said: Mapping[str, object]

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        for name, content in sorted(self.items.items()):
            yield DocumentRef(self.name, name, content_version(content), metadata=self.said)

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        return LoadedDocument(ref, self.items[ref.name])


class Recording:
    """A real vector store and embedder, with a record of what each was given."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self.texts: list[str] = []
        self.attributes: list[Attributes] = []

    def ingestion(self) -> Ingestion:
        embedder, vectors = _Embedder(self), _Vectors(self)
        made = Knowledge(self.knowledge.database, vectors, embedder, self.knowledge.namespace)  # type: ignore[arg-type]
        return made.ingestion()


class _Embedder:
    def __init__(self, record: Recording) -> None:
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._record.knowledge.embedder, name)

    async def embed_texts(self, texts: Sequence[str], **kwargs: Any) -> Matrix:
        self._record.texts += texts
        return await self._record.knowledge.embedder.embed_texts(texts, **kwargs)


class _Vectors:
    def __init__(self, record: Recording) -> None:
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._record.knowledge.vectors, name)

    async def upsert(
        self, collection: str, ids: Sequence[str], vectors: Matrix, attributes: Sequence[Attributes]
    ) -> None:
        self._record.attributes += attributes
        await self._record.knowledge.vectors.upsert(collection, ids, vectors, attributes)


async def test_what_cannot_be_read_is_named_and_never_stops_the_rest(local: Knowledge) -> None:
    items = {
        "a.pdf": pdf("A pump moves water from the basin to the tank."),
        "b.docx": word(),
        "c.pptx": slides(),
        "d.csv": b"Code,Meaning\nE-7,The filter is dirty.\n",
        "e.html": b"<h1>Valves</h1><p>A valve stops the water.</p>",
        "f.py": b"def stop(pump):\n    pump.power = 0\n",
        "bomb.docx": bomb(),
        "huge.txt": b"word " * 5_000_000,
        "locked.pdf": pdf("secret", password="secret"),
        "torn.pdf": pdf("A torn page.")[:-500],
        "odd \n name \u2028.md": b"A sentence with \0 in it.",
    }
    report = await local.ingestion().run([ItemsSource("docs", items)])
    assert (report.documents, report.failed) == (7, 4)
    assert sorted(each.partition(": ")[0] for each in report.failures) == [
        "docs/bomb.docx",
        "docs/huge.txt",
        "docs/locked.pdf",
        "docs/torn.pdf",
    ]
    found = await local.retriever().retrieve("What does E-7 mean? Is the filter dirty?", [entry()])
    assert found[0].chunk.text == "Code: E-7; Meaning: The filter is dirty."


async def test_a_citation_has_its_page(local: Knowledge) -> None:
    content = pdf("Basins are cleaned in spring.", "The night shift starts the pump at ten.")
    await local.ingestion().run([ItemsSource("docs", {"manual.pdf": content})])
    found = await local.retriever().retrieve("When is the pump started?", [entry()])
    [quote, *_] = choose(quotes(found))
    assert (quote.citation.document, quote.citation.page) == ("manual.pdf", 2)
    assert type(quote).from_json(quote.to_json(), [entry()]).citation == quote.citation


async def test_metadata_become_attributes_of_every_chunk(local: Knowledge) -> None:
    record = Recording(local)
    said = {"stage": "draft", "title": "not this one", "parts": {"nested": 1}}
    report = await record.ingestion().run([Labelled("docs", {"guide.md": GUIDE.encode()}, said)])
    expected = {
        "stage": "draft",
        "title": "Guide",
        "team": ["water", "power"],
        "reviewed": "2026-03-01",
        "source": "docs",
        "document": "guide.md",
    }
    assert record.attributes == [expected]
    build = Build("demo/handbook", report.revision)
    [ids] = (await chunk_ids(local.database, build)).values()
    [(chunk, _)] = await read_chunks(local.database, build, sorted(ids))
    assert orjson.loads(chunk.attributes) == expected


async def test_a_record_has_its_own_columns_as_attributes(local: Knowledge) -> None:
    record = Recording(local)
    table = b"Code,Hours\nE-1,4\nE-2,9\n"
    await record.ingestion().run([ItemsSource("docs", {"faults.csv": table})])
    assert [(each["Code"], each["Hours"], each["document"]) for each in record.attributes] == [
        ("E-1", 4, "faults.csv"),
        ("E-2", 9, "faults.csv"),
    ]


async def test_other_metadata_alone_embed_nothing(local: Knowledge) -> None:
    items = {"guide.md": GUIDE.encode()}
    await local.ingestion().run([Labelled("docs", items, {"stage": "draft"})])
    record = Recording(local)
    await record.ingestion().run([Labelled("docs", items, {"stage": "final"})])
    assert record.texts == []
    assert [each["stage"] for each in record.attributes] == ["final"]
    again = Recording(local)
    await again.ingestion().run([Labelled("docs", items, {"stage": "final"})])
    assert (again.texts, again.attributes) == ([], [])


async def test_of_a_changed_document_only_the_changed_chunk_is_embedded(local: Knowledge) -> None:
    parts = [f"# Part {number}\n\nThis is what part {number} says.\n" for number in range(5)]
    await local.ingestion().run([ItemsSource("docs", {"a.md": "\n".join(parts).encode()})])
    parts[2] = "# Part 2\n\nThis is new.\n"
    record = Recording(local)
    await record.ingestion().run([ItemsSource("docs", {"a.md": "\n".join(parts).encode()})])
    assert record.texts == ["Part 2\nThis is new.", "This is new."]
    found = await local.retriever().retrieve("what does part 4 say?", [entry()])
    assert found[0].chunk.text == "This is what part 4 says."


async def test_lost_vectors_are_written_again_without_embedding(local: Knowledge) -> None:
    items = [ItemsSource("docs", {"guide.md": GUIDE.encode()})]
    report = await local.ingestion().run(items)
    await local.vectors.drop(collection_name("demo/handbook", report.revision))
    record = Recording(local)
    await record.ingestion().run(items)
    assert record.texts == []
    assert await local.vectors.count(collection_name("demo/handbook", report.revision)) == 1


async def test_all_documents_may_be_the_same(local: Knowledge) -> None:
    items = {f"{number}.md": b"The same sentence in all of them." for number in range(10)}
    report = await local.ingestion().run([ItemsSource("docs", items)])
    assert (report.documents, report.chunks, report.failed) == (10, 10, 0)


@pytest.mark.parametrize("name", ["a.csv", "a.py"])
async def test_empty_files_hold_nothing(local: Knowledge, name: str) -> None:
    items = {name: b"", "b.md": b"A sentence."}
    report = await local.ingestion().run([ItemsSource("docs", items)])
    assert (report.chunks, report.failed) == (1, 0)
