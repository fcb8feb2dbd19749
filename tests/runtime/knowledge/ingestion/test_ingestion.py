"""An ingestion does no more than it must, never harms what agents read, and says what it could not take."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

import orjson
import pytest

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import DocumentsConfig, VectorsConfig
from slipway_runtime.knowledge.embedding.embedder import Matrix
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.ingestion.fingerprint import fingerprint, revision_name
from slipway_runtime.knowledge.ingestion.ingestion import IngestionProgress, NothingToIngest
from slipway_runtime.knowledge.ingestion.planning import SourceListing, make_plan
from slipway_runtime.knowledge.ingestion.sources import DocumentRef, ItemsSource, LoadedDocument
from slipway_runtime.knowledge.ingestion.sources.contract import NOTHING
from slipway_runtime.knowledge.pieces import decode_pieces, decode_vectors
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.documents import Build, DocumentState, chunk_ids, document_states, read_chunks, revisions
from slipway_runtime.store.pointers import read_pointer
from tests.support.knowledge import Knowledge, contents, entry

CATS = "# Cats\n\nCats sleep for most of the day. They hunt at night.\n"
BOATS = "# Boats\n\nA slipway is a ramp on which boats are launched. It leads into the water.\n"
TEA = "# Tea\n\nGreen tea is brewed at eighty degrees. Black tea needs boiling water.\n"


class CountingEmbedder:
    """The real embedder, with a record of what it was given."""

    def __init__(self, embedder: MiniLM) -> None:
        self._embedder = embedder
        self.texts: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    async def embed_texts(self, texts: Sequence[str], **kwargs: Any) -> Matrix:
        self.texts += texts
        return await self._embedder.embed_texts(texts, **kwargs)


async def state(knowledge: Knowledge, revision: str) -> tuple[set[tuple[str, str]], set[str], set[str]]:
    """Documents and chunk ids of a build in the store, and those ids that the vector store has; it has no others."""
    build = Build(f"{knowledge.namespace}/handbook", revision)
    chunks = await chunk_ids(knowledge.database, build)
    ids = set().union(*chunks.values())
    collection = collection_name(build.index, revision)
    present = await knowledge.vectors.present(collection, sorted(ids))
    assert await knowledge.vectors.count(collection) == len(present)
    return set(await document_states(knowledge.database, build)), ids, present


async def test_documents_are_stored_with_exact_offsets_and_sentence_vectors(knowledge: Knowledge) -> None:
    report = await knowledge.ingestion().run(contents(cats_md=CATS, boats_md=BOATS))
    assert (report.documents, report.chunks, report.failed) == (2, 2, 0)
    documents, chunks, vectors = await state(knowledge, report.revision)
    assert documents == {("docs", "boats.md"), ("docs", "cats.md")}
    assert chunks == vectors
    build = Build(f"{knowledge.namespace}/handbook", report.revision)
    for chunk, otherwise in await read_chunks(knowledge.database, build, sorted(chunks)):
        assert otherwise is None
        text = {"cats.md": CATS, "boats.md": BOATS}[chunk.document]
        assert chunk.text == text[chunk.start : chunk.end]
        pieces = decode_pieces(chunk.sentences)
        own = await knowledge.embedder.embed_texts([text[piece.start : piece.end] for piece in pieces])
        assert decode_vectors(chunk.vectors, dimensions=384) == pytest.approx(own, abs=1e-5)


async def test_the_pointer_leads_to_the_build(knowledge: Knowledge) -> None:
    report = await knowledge.ingestion().run(contents(cats_md=CATS))
    pointer = await read_pointer(knowledge.database, f"{knowledge.namespace}/handbook")
    assert pointer is not None
    assert (pointer.revision, pointer.fingerprint) == (report.revision, report.fingerprint)
    assert (pointer.documents, pointer.chunks, pointer.failed) == (1, 1, 0)


async def test_nothing_is_embedded_again_when_nothing_changed(local: Knowledge) -> None:
    await local.ingestion().run(contents(cats_md=CATS, boats_md=BOATS))
    counting = CountingEmbedder(local.embedder)
    again = Knowledge(local.database, local.vectors, counting, local.namespace)  # type: ignore[arg-type]
    report = await again.ingestion().run(contents(cats_md=CATS, boats_md=BOATS))
    assert counting.texts == []
    assert report.documents == 2


async def test_only_the_document_that_changed_is_embedded(local: Knowledge) -> None:
    await local.ingestion().run(contents(cats_md=CATS, boats_md=BOATS))
    counting = CountingEmbedder(local.embedder)
    again = Knowledge(local.database, local.vectors, counting, local.namespace)  # type: ignore[arg-type]
    await again.ingestion().run(contents(cats_md=CATS + "Cats purr.\n", boats_md=BOATS))
    assert any("Cats purr." in text for text in counting.texts)
    assert not any("slipway" in text for text in counting.texts)


async def test_changed_and_removed_documents_leave_nothing_behind(knowledge: Knowledge) -> None:
    await knowledge.ingestion().run(contents(cats_md=CATS, boats_md=BOATS))
    report = await knowledge.ingestion().run(contents(cats_md="# Cats\n\nCats purr.\n", tea_md=TEA))
    documents, chunks, vectors = await state(knowledge, report.revision)
    assert documents == {("docs", "cats.md"), ("docs", "tea.md")}
    assert chunks == vectors
    assert (report.documents, report.chunks) == (2, 2)


async def test_other_settings_make_another_build_and_the_one_before_stays(knowledge: Knowledge) -> None:
    first = await knowledge.ingestion(knowledge.config(max_tokens=100)).run(contents(cats_md=CATS))
    second = await knowledge.ingestion(knowledge.config(max_tokens=50)).run(contents(cats_md=CATS))
    assert first.revision != second.revision
    index = f"{knowledge.namespace}/handbook"
    assert await revisions(knowledge.database, index) == {first.revision, second.revision}
    pointer = await read_pointer(knowledge.database, index)
    assert pointer is not None
    assert pointer.revision == second.revision


async def test_the_ingestion_after_removes_builds_that_nobody_reads(knowledge: Knowledge) -> None:
    first = await knowledge.ingestion(knowledge.config(max_tokens=100)).run(contents(cats_md=CATS))
    config = knowledge.config(max_tokens=50).model_copy(update={"keep_seconds": 0})
    for _ in range(2):
        second = await knowledge.ingestion(config).run(contents(cats_md=CATS))
    index = f"{knowledge.namespace}/handbook"
    assert await revisions(knowledge.database, index) == {second.revision}
    assert not await knowledge.vectors.exists(collection_name(index, first.revision))


async def test_going_back_to_earlier_settings_goes_back_to_the_earlier_build(local: Knowledge) -> None:
    first = await local.ingestion(local.config(overlap=10)).run(contents(cats_md=CATS))
    await local.ingestion(local.config(overlap=0)).run(contents(cats_md=CATS))
    third = await local.ingestion(local.config(overlap=10)).run(contents(cats_md=CATS))
    assert first.revision == third.revision


async def test_two_indexes_do_not_touch_each_other(local: Knowledge) -> None:
    one = await local.ingestion(local.config(index="one")).run(contents(cats_md=CATS))
    two = await local.ingestion(local.config(index="two")).run(contents(cats_md=CATS, boats_md=BOATS))
    assert (one.documents, two.documents) == (1, 2)
    await local.ingestion(local.config(index="two")).run(contents(boats_md=BOATS))
    found = await local.retriever().retrieve("what do cats do?", [entry(index="one")])
    assert [each.chunk.document for each in found] == ["cats.md"]


async def test_vectors_that_were_lost_are_made_again(knowledge: Knowledge) -> None:
    report = await knowledge.ingestion().run(contents(cats_md=CATS, boats_md=BOATS))
    await knowledge.vectors.drop(collection_name(f"{knowledge.namespace}/handbook", report.revision))
    await knowledge.ingestion().run(contents(cats_md=CATS, boats_md=BOATS))
    _, chunks, vectors = await state(knowledge, report.revision)
    assert chunks == vectors


async def test_a_document_that_is_no_text_fails_alone(knowledge: Knowledge) -> None:
    report = await knowledge.ingestion().run(contents(cats_md=CATS, logo_png=b"\x89PNG\xff\xfe"))
    assert (report.documents, report.failed) == (1, 1)
    assert report.failures[0].startswith("docs/logo.png: not UTF-8")
    report = await knowledge.ingestion().run(contents(cats_md=CATS))
    assert (report.failed, report.failures) == (0, ())


async def test_a_document_that_turns_bad_keeps_its_last_good_version(local: Knowledge) -> None:
    await local.ingestion().run(contents(cats_md=CATS, boats_md=BOATS))
    report = await local.ingestion().run(contents(cats_md=b"\xff\xff", boats_md=BOATS))
    assert (report.documents, report.failed) == (2, 1)
    found = await local.retriever().retrieve("when do cats sleep?", [entry()])
    assert found[0].chunk.document == "cats.md"


@pytest.mark.parametrize("text", ["# NUL\n\nbefore\0after this sentence\n", "x" * 100_000])
async def test_odd_documents_are_ingested_into_postgres(served: Knowledge, text: str) -> None:
    report = await served.ingestion().run(contents(odd_md=text, cats_md=CATS))
    assert (report.documents, report.failed) == (2, 0)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "The sources hold no documents"),
        (contents(empty_md="", blank_md=" \n"), "All documents are empty"),
        (contents(cats_md="<!-- Cats -->\n", boats_md="---\ntitle: Boats\n---\n"), "the documents hold no text"),
        (contents(logo_png=b"\xff\xfe"), "none of the 1 documents could be read: docs/logo.png"),
    ],
)
async def test_nothing_to_ingest_leaves_the_build_as_it_is(
    local: Knowledge, given: list[ItemsSource], why: str
) -> None:
    before = await local.ingestion().run(contents(cats_md=CATS))
    with pytest.raises(NothingToIngest, match=why):
        await local.ingestion().run(given)
    pointer = await read_pointer(local.database, "demo/handbook")
    assert pointer is not None
    assert (pointer.revision, pointer.documents) == (before.revision, 1)


async def test_a_document_of_headings_alone_is_found_by_them(local: Knowledge) -> None:
    await local.ingestion().run(contents(cats_md=CATS))
    report = await local.ingestion().run(contents(cats_md=CATS, boats_md="# Boats\n"))
    assert (report.documents, report.chunks) == (2, 2)


class FailingVectors:
    """A vector store that is unavailable from its n-th write on."""

    def __init__(self, knowledge: Knowledge, *, writes: int) -> None:
        self._vectors = knowledge.vectors
        self._left = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vectors, name)

    async def upsert(self, collection: str, ids: Sequence[str], vectors: Matrix, more: Any = None) -> None:
        self._left -= 1
        if self._left < 0:
            raise VectorsUnavailable("the disk is full")
        await self._vectors.upsert(collection, ids, vectors, more)


async def test_an_ingestion_that_fails_half_way_leaves_agents_with_the_build_before(local: Knowledge) -> None:
    before = await local.ingestion(local.config(max_tokens=100)).run(contents(cats_md=CATS, boats_md=BOATS))
    failing = Knowledge(local.database, FailingVectors(local, writes=1), local.embedder, "demo")
    with pytest.raises(VectorsUnavailable, match="disk is full"):
        await failing.ingestion(local.config(max_tokens=50), patience=0).run(contents(cats_md=CATS, boats_md=BOATS))
    pointer = await read_pointer(local.database, "demo/handbook")
    assert pointer is not None
    assert pointer.revision == before.revision
    found = await local.retriever().retrieve("when do cats sleep?", [entry()])
    assert found[0].chunk.document == "cats.md"


async def test_the_next_ingestion_goes_on_where_one_failed(local: Knowledge) -> None:
    failing = Knowledge(local.database, FailingVectors(local, writes=1), local.embedder, "demo")
    with pytest.raises(VectorsUnavailable):
        await failing.ingestion(patience=0).run(contents(boats_md=BOATS, cats_md=CATS))
    counting = CountingEmbedder(local.embedder)
    again = Knowledge(local.database, local.vectors, counting, "demo")  # type: ignore[arg-type]
    report = await again.ingestion().run(contents(boats_md=BOATS, cats_md=CATS))
    assert report.documents == 2
    assert not any("slipway" in text for text in counting.texts)


async def test_a_store_that_is_away_for_a_moment_is_waited_for(local: Knowledge) -> None:
    class Flaky(FailingVectors):
        async def upsert(self, collection: str, ids: Sequence[str], vectors: Matrix, more: Any = None) -> None:
            if self._left:
                self._left -= 1
                raise VectorsUnavailable("connection refused")
            await self._vectors.upsert(collection, ids, vectors, more)

    flaky = Knowledge(local.database, Flaky(local, writes=1), local.embedder, "demo")
    assert (await flaky.ingestion(patience=30).run(contents(cats_md=CATS))).documents == 1


async def test_a_store_that_stays_away_is_given_up(local: Knowledge) -> None:
    await local.database.close()
    with pytest.raises(StoreUnavailable):
        await local.ingestion(patience=0).run(contents(cats_md=CATS))


async def test_sources_keep_documents_of_the_same_name_apart(local: Knowledge) -> None:
    both = [ItemsSource(source, {"same.md": text.encode()}) for source, text in (("one", CATS), ("two", BOATS))]
    report = await local.ingestion().run(both)
    assert report.documents == 2
    found = await local.retriever().retrieve("what is a slipway?", [entry()])
    assert (found[0].chunk.source, found[0].chunk.document) == ("two", "same.md")


async def test_progress_reaches_its_end(local: Knowledge) -> None:
    seen: list[IngestionProgress] = []
    ingestion = local.ingestion()
    ingestion._progress = seen.append
    await ingestion.run(contents(cats_md=CATS, boats_md=BOATS, tea_md=TEA))
    assert seen[0] == IngestionProgress(0, 3, 0)
    assert seen[-1] == IngestionProgress(3, 3, 3)
    assert [each.chunks for each in seen] == sorted(each.chunks for each in seen)


def test_the_fingerprint_follows_what_makes_vectors_comparable(local: Knowledge) -> None:
    base = fingerprint(local.config(), local.embedder)
    assert fingerprint(local.config(max_tokens=99), local.embedder) != base
    assert fingerprint(local.config(overlap=9), local.embedder) != base
    assert fingerprint(local.config(index="other"), local.embedder) == base
    config = local.config()
    here = revision_name(base, config)
    assert here == revision_name(base, local.config())
    assert here != revision_name(base, config.model_copy(update={"vectors": VectorsConfig(kind="pgvector")}))
    elsewhere = DocumentsConfig(kind="mongodb", connection="handbook/texts/uri")
    assert here != revision_name(base, config.model_copy(update={"documents": elsewhere}))


def test_a_plan_names_what_may_have_changed_and_what_went() -> None:
    refs = [DocumentRef("docs", name, "new") for name in ("changed.md", "fresh.md", "kept.md", "lost.md")]
    states = {("docs", name): DocumentState(version="new", hash="h", chunks=1) for name in ("kept.md", "lost.md")}
    states |= {("docs", name): DocumentState(version="old", hash="h", chunks=1) for name in ("changed.md", "gone.md")}
    plan = make_plan(SourceListing(refs), states=states, lost={("docs", "lost.md")})
    assert [ref.name for ref in plan.load] == ["changed.md", "fresh.md", "lost.md"]
    assert plan.removed == (("docs", "gone.md"),)
    assert plan.kept
    assert not make_plan(SourceListing(refs[:2]), states=states, lost=set()).kept


class LoadingSource(ItemsSource):
    """Keeps the names of what was loaded, and calls every content by the version it is given."""

    loaded: ClassVar[list[str]] = []
    version: ClassVar[str] = ""

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        async for ref in super().list(known):
            yield DocumentRef(ref.source, ref.name, self.version or ref.version)

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        self.loaded.append(ref.name)
        return await super().load(ref)


async def test_only_documents_of_another_version_are_loaded(local: Knowledge) -> None:
    items = {"cats.md": CATS.encode(), "boats.md": BOATS.encode()}
    await local.ingestion().run([ItemsSource("docs", items)])
    source = LoadingSource("docs", {**items, "boats.md": TEA.encode()})
    await local.ingestion().run([source])
    assert source.loaded == ["boats.md"]


async def test_another_version_of_the_same_text_is_not_embedded_again(local: Knowledge) -> None:
    await local.ingestion().run(contents(cats_md=CATS))
    counting = CountingEmbedder(local.embedder)
    again = Knowledge(local.database, local.vectors, counting, local.namespace)  # type: ignore[arg-type]
    await again.ingestion().run(contents(cats_md=b"\xef\xbb\xbf" + CATS.encode()))
    assert counting.texts == []


async def test_what_an_interruption_left_is_removed_without_listing(knowledge: Knowledge) -> None:
    class Cut(FailingVectors):
        async def upsert(self, collection: str, ids: Sequence[str], vectors: Matrix, more: Any = None) -> None:
            await self._vectors.upsert(collection, ids, vectors, more)
            raise VectorsUnavailable("the connection was cut")

    cut = Knowledge(knowledge.database, Cut(knowledge, writes=0), knowledge.embedder, knowledge.namespace)
    with pytest.raises(VectorsUnavailable):
        await cut.ingestion(patience=0).run(contents(cats_md=CATS))
    report = await knowledge.ingestion().run(contents(boats_md=BOATS))
    documents, chunks, vectors = await state(knowledge, report.revision)
    assert documents == {("docs", "boats.md")}
    assert chunks == vectors


async def test_front_matter_becomes_metadata(knowledge: Knowledge) -> None:
    text = "---\ntitle: Cats\ntags: [pets, sleep]\nsince: 2024-05-01\n---\n" + CATS
    report = await knowledge.ingestion().run(contents(cats_md=text))
    rows = await knowledge.database.fetch("SELECT metadata FROM documents WHERE revision = $1", report.revision)
    assert orjson.loads(str(rows[0]["metadata"])) == {"title": "Cats", "tags": ["pets", "sleep"], "since": "2024-05-01"}
