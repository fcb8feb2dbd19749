"""Hosts write uploads to the build that agents read, while ingestions write to it or build another."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from slipway_crds.contract import UPLOADS, collection_name
from slipway_crds.runtimeconfig import IngestConfig, IngestReport, UploadsConfig
from slipway_runtime.knowledge.ingestion.build_writer import WRITING
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.ingestion.sources import DocumentRef, DocumentSource, LoadedDocument
from slipway_runtime.knowledge.ingestion.uploads import UploadSource, all_uploads, upload_version, uploads_of
from slipway_runtime.store.documents import Build, chunk_ids, document_states
from slipway_runtime.store.locks import take_lock
from slipway_runtime.store.uploads import NewUpload, delete_upload, indexes_behind, put_upload
from tests.support.knowledge import Knowledge, contents, entry

INDEX = "handbook"
CATS = {"cats_md": "Cats sleep for most of the day."}


def config(knowledge: Knowledge, *, max_tokens: int = 100) -> IngestConfig:
    return knowledge.config(max_tokens=max_tokens).model_copy(update={"uploads": UploadsConfig()})


def name_of(knowledge: Knowledge) -> str:
    return f"{knowledge.namespace}/{INDEX}"


async def upload(knowledge: Knowledge, name: str, text: str) -> str:
    content = text.encode()
    new = NewUpload(
        id=f"id-of-{name}",
        name=name,
        content_type="",
        metadata="{}",
        version=upload_version(content, "", "{}"),
        content=content,
        uploaded_by="ann",
    )
    kept = await put_upload(knowledge.database, name_of(knowledge), new)
    assert kept is not None
    return kept


async def ingest(knowledge: Knowledge, documents: Mapping[str, str], *, max_tokens: int = 100) -> str:
    made = config(knowledge, max_tokens=max_tokens)
    sources = [*contents(**documents), *uploads_of(made, knowledge.database)]
    return (await knowledge.ingestion(made).run(sources)).revision


def host(knowledge: Knowledge, name: str, *, patience: float = 30.0) -> Ingestion:
    return Ingestion(
        config(knowledge),
        database=knowledge.database,
        vectors=knowledge.vectors,
        embedder=knowledge.embedder,
        patience=patience,
        owner=name,
    )


async def is_whole(knowledge: Knowledge, revision: str) -> set[str]:
    """The uploads in a build, once it is known that every chunk has its vector, and there are no others."""
    build = Build(name_of(knowledge), revision)
    ids = set().union(*(await chunk_ids(knowledge.database, build)).values())
    collection = collection_name(build.index, revision)
    assert await knowledge.vectors.present(collection, sorted(ids)) == ids
    assert await knowledge.vectors.count(collection) == len(ids)
    return {name for source, name in await document_states(knowledge.database, build) if source == UPLOADS}


async def test_hosts_and_an_ingestion_may_write_to_one_build_at_once(knowledge: Knowledge) -> None:
    documents = {f"doc{number}_md": f"This is document number {number}." for number in range(8)}
    await ingest(knowledge, documents)
    for number in range(8):
        await upload(knowledge, f"{number}.md", f"This is upload number {number}.")
    source = UploadSource(knowledge.database, name_of(knowledge), again=False)
    changed = {name: f"{text} It has changed." for name, text in documents.items()}
    revision, *_ = await asyncio.gather(
        ingest(knowledge, changed), host(knowledge, "one").update(source), host(knowledge, "two").update(source)
    )
    assert await is_whole(knowledge, revision) == {f"{number}.md" for number in range(8)}
    assert await indexes_behind(knowledge.database, [name_of(knowledge)]) == []


async def test_an_upload_during_a_build_reaches_the_build_before_and_the_new_one(knowledge: Knowledge) -> None:
    first = await ingest(knowledge, CATS)
    await upload(knowledge, "a.md", "The tiger is called Kim.")
    source = UploadSource(knowledge.database, name_of(knowledge), again=False)
    await host(knowledge, "one").update(source)
    assert await is_whole(knowledge, first) == {"a.md"}
    second = await ingest(knowledge, CATS, max_tokens=50)
    assert second != first
    assert await is_whole(knowledge, second) == {"a.md"}
    found = await knowledge.retriever().retrieve("What is the tiger called?", [entry()])
    assert (found[0].chunk.source, found[0].chunk.document) == (UPLOADS, "a.md")


async def test_an_index_is_behind_until_an_upload_is_embedded_and_after_one_was_removed(local: Knowledge) -> None:
    index = name_of(local)
    await ingest(local, CATS)
    assert await indexes_behind(local.database, [index]) == []
    id_ = await upload(local, "a.md", "The tiger is called Kim.")
    source = UploadSource(local.database, index, again=False)
    for change in (None, delete_upload):
        if change is not None:
            assert await change(local.database, index, id_)
        [(behind, revision, _)] = await indexes_behind(local.database, [index])
        assert behind == index
        await host(local, "one").update(source)
        assert await indexes_behind(local.database, [index]) == []
    assert await is_whole(local, revision) == set()


async def test_a_writer_that_died_is_waited_for_until_its_lock_runs_out(local: Knowledge) -> None:
    await ingest(local, CATS)
    await upload(local, "a.md", "The tiger is called Kim.")
    assert await take_lock(local.database, name_of(local), WRITING, owner="dead", seconds=1)
    await host(local, "one").update(UploadSource(local.database, name_of(local), again=False))
    [kept] = [each async for each in all_uploads(local.database, name_of(local))]
    assert kept.state == "embedded"


class Removed(UploadSource):
    """Uploads that are removed between being listed and being loaded."""

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        await delete_upload(self.database, self.index, f"id-of-{ref.name}")
        return await super().load(ref)


async def test_an_upload_that_is_removed_meanwhile_is_no_failure(local: Knowledge) -> None:
    await upload(local, "a.md", "The tiger is called Kim.")
    sources: list[DocumentSource] = [*contents(**CATS), Removed(local.database, name_of(local))]
    report = await local.ingestion(config(local)).run(sources)
    assert (report.documents, report.failed, report.failures) == (1, 0, ())


async def test_a_failed_upload_is_not_tried_again_by_hosts_and_is_by_an_ingestion(local: Knowledge) -> None:
    await ingest(local, CATS)
    await upload(local, "a.pdf", "no PDF at all")
    source = UploadSource(local.database, name_of(local), again=False)
    await host(local, "one").update(source)
    [failed] = [each async for each in all_uploads(local.database, name_of(local))]
    why = "named like a PDF but not one; check how it was written, or rename it"
    assert (failed.state, failed.reason) == ("failed", why)
    assert [each async for each in source.list()] == []
    assert [each.name async for each in replace(source, again=True).list()] == ["a.pdf"]
    sources: list[DocumentSource] = [*contents(**CATS), replace(source, again=True)]
    report = await local.ingestion(config(local)).run(sources)
    assert report.failures == (f"{UPLOADS}/a.pdf: {why}",)


async def test_a_lock_is_one_owners_and_may_be_renewed(knowledge: Knowledge) -> None:
    lock = (knowledge.database, name_of(knowledge), WRITING)
    assert await take_lock(*lock, owner="one", seconds=60)
    assert not await take_lock(*lock, owner="two", seconds=60)
    assert await take_lock(*lock, owner="one", seconds=60)


async def test_an_index_may_have_uploads_alone(knowledge: Knowledge) -> None:
    alone = config(knowledge).model_copy(update={"sources": ()})

    async def run() -> IngestReport:
        return await knowledge.ingestion(alone).run(uploads_of(alone, knowledge.database))

    first = await run()
    assert (first.documents, first.chunks) == (0, 0)
    searching, entries = knowledge.retriever(), [entry(min_score=0.1)]
    assert await searching.retrieve("What do cats do?", entries) == []
    id_ = await upload(knowledge, "cats.md", CATS["cats_md"])
    assert await indexes_behind(knowledge.database, [name_of(knowledge)])
    await host(knowledge, "one").update(UploadSource(knowledge.database, name_of(knowledge), again=False))
    assert "sleep" in (await searching.retrieve("What do cats do?", entries))[0].chunk.text
    again = await run()
    assert (again.revision, again.documents) == (first.revision, 1)
    await delete_upload(knowledge.database, name_of(knowledge), id_)
    assert (await run()).documents == 0
    assert await searching.retrieve("What do cats do?", entries) == []
