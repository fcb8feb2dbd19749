"""Pods that do an ingestion together make what one makes, and one of them publishes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import IngestReport
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion, IngestionProgress, NothingToIngest
from slipway_runtime.knowledge.ingestion.sharding import ShardOfIngestion
from slipway_runtime.knowledge.ingestion.sources import DocumentRef, DocumentSource, ItemsSource, LoadedDocument
from slipway_runtime.store.documents import Build, chunk_ids
from slipway_runtime.store.pointers import read_pointer
from slipway_runtime.store.shards import (
    IngestionSuperseded,
    Shard,
    begin_shard,
    complete_shard,
    note_progress,
    read_progress,
)
from tests.support.knowledge import Knowledge, contents

TEXTS = {f"{number}_md": f"# Boat {number}\n\nThe boat {number} is launched at noon.\n" for number in range(6)}


def part_of(knowledge: Knowledge, shard: Shard) -> ShardOfIngestion:
    """One pod's part of an ingestion of the index `handbook`."""

    def make(part: Shard | None, progress: Callable[[IngestionProgress], None]) -> Ingestion:
        return Ingestion(
            knowledge.config(),
            database=knowledge.database,
            vectors=knowledge.vectors,
            embedder=knowledge.embedder,
            progress=progress,
            patience=5.0,
            shard=part,
        )

    return ShardOfIngestion(shard, f"{knowledge.namespace}/handbook", knowledge.database, make, lambda _: None, 5.0)


async def run(
    knowledge: Knowledge, number: int, sources: Sequence[DocumentSource], *, of: int = 2, ingestion: str = "one"
) -> IngestReport | None:
    return await part_of(knowledge, Shard(ingestion, number, of)).run(sources)


async def names(knowledge: Knowledge) -> set[str]:
    """The documents that agents find, each of whose chunks has its vector; there is no other vector."""
    pointer = await read_pointer(knowledge.database, f"{knowledge.namespace}/handbook")
    assert pointer is not None
    by_document = await chunk_ids(knowledge.database, Build(pointer.index, pointer.revision))
    ids = [id_ for each in by_document.values() for id_ in each]
    collection = collection_name(pointer.index, pointer.revision)
    assert await knowledge.vectors.present(collection, ids) == set(ids)
    assert await knowledge.vectors.count(collection) == len(ids) == pointer.chunks
    return {name for _, name in by_document}


class Loading(ItemsSource):
    """Remembers what was loaded."""

    def __init__(self, name: str, items: dict[str, bytes]) -> None:
        super().__init__(name, items)
        self.loaded: list[str] = []

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        self.loaded.append(ref.name)
        return await super().load(ref)


def test_each_document_is_in_one_shard_and_every_shard_has_some() -> None:
    shards = [Shard("one", number, 7) for number in range(7)]
    keys = [("docs", f"{number}.md") for number in range(700)]
    assert all(sum(shard.has(key) for shard in shards) == 1 for key in keys)
    assert all(sum(shard.has(key) for key in keys) > 50 for shard in shards)
    assert Shard("one", 3, 7).has(("docs", "\udcff")) in (True, False), "a name that is no text"


async def test_shards_at_once_make_what_one_process_makes_and_one_publishes(served: Knowledge) -> None:
    alone = await replace(served, namespace=f"{served.namespace}-alone").ingestion().run(contents(**TEXTS))
    reports = await asyncio.gather(*(run(served, number, contents(**TEXTS), of=4) for number in range(4)))
    (report,) = (each for each in reports if each is not None)
    assert report == alone
    assert await names(served) == {name.replace("_", ".") for name in TEXTS}


async def test_of_shards_that_end_at_once_one_publishes(served: Knowledge) -> None:
    index = f"{served.namespace}/handbook"
    for attempt in range(20):
        shards = [Shard(f"ingestion {attempt}", number, 3) for number in range(3)]
        for shard in shards:
            await begin_shard(served.database, index, shard)
        ended = await asyncio.gather(*(complete_shard(served.database, index, shard, []) for shard in shards))
        publishers = [shard.number for shard, each in zip(shards, ended, strict=True) if each.publisher == shard.number]
        assert len(publishers) == 1
        again = [await begin_shard(served.database, index, shard) for shard in shards]
        assert {each.publisher for each in again} == set(publishers), "also for pods that are started again"


async def test_nothing_is_published_before_the_last_shard(local: Knowledge) -> None:
    assert await run(local, 1, contents(**TEXTS)) is None
    assert await run(local, 1, contents(**TEXTS)) is None, "its pod was started again"
    assert await read_pointer(local.database, "demo/handbook") is None
    report = await run(local, 0, contents(**TEXTS))
    assert report is not None
    assert report.documents == 6
    assert await run(local, 1, contents(**TEXTS)) is None
    assert await run(local, 0, contents(**TEXTS)) == report, "the publisher's pod was started again"


async def test_a_listing_that_changes_between_shards_ends_in_the_newest(local: Knowledge) -> None:
    """Whichever shard a document is in: the one that publishes takes what the others did not see."""
    await run(local, 0, contents(**TEXTS))
    later = {f"later_{number}_md": text for number, text in enumerate(TEXTS.values())}
    assert await run(local, 1, contents(**later)) is not None
    assert await names(local) == {name.replace("_", ".") for name in later}
    await run(local, 0, contents(**later), ingestion="two")
    await run(local, 1, contents(**later, **TEXTS), ingestion="two")
    assert await names(local) == {name.replace("_", ".") for name in (*later, *TEXTS)}


async def test_what_a_shard_could_not_read_is_reported_and_not_read_twice(local: Knowledge) -> None:
    items = {f"{number}.md": b"\xff\xff" for number in range(4)} | {"tea.md": b"# Tea\n\nTea is brewed.\n"}
    source = Loading("docs", items)
    assert await run(local, 0, [source]) is None
    report = await run(local, 1, [source])
    assert report is not None
    assert (report.documents, report.failed) == (1, 4)
    assert sorted(source.loaded) == sorted(items)


async def test_without_a_document_the_last_shard_says_so(local: Knowledge) -> None:
    assert await run(local, 0, contents()) is None
    with pytest.raises(NothingToIngest, match="hold no documents"):
        await run(local, 1, contents())


async def test_vectors_that_were_lost_are_made_again_by_their_shard(local: Knowledge) -> None:
    for number in range(2):
        report = await run(local, number, contents(**TEXTS))
    assert report is not None
    await local.vectors.drop(collection_name("demo/handbook", report.revision))
    for number in range(2):
        await run(local, number, contents(**TEXTS), ingestion="two")
    assert len(await names(local)) == 6


async def test_a_shard_of_an_earlier_ingestion_ends_without_publishing(local: Knowledge) -> None:
    early = Shard("one", 0, 1)
    await begin_shard(local.database, "demo/handbook", early)
    await begin_shard(local.database, "demo/handbook", Shard("two", 0, 2))
    with pytest.raises(IngestionSuperseded, match="demo/handbook"):
        await complete_shard(local.database, "demo/handbook", early, [])


async def test_progress_is_that_of_all_shards(local: Knowledge) -> None:
    first, second = Shard("one", 0, 3), Shard("one", 1, 3)
    for shard, done in ((first, 4), (second, 1)):
        await begin_shard(local.database, "demo/handbook", shard)
        await note_progress(local.database, "demo/handbook", shard, done=done, total=4, chunks=10 * done)
    await complete_shard(local.database, "demo/handbook", first, [])
    said = str(await read_progress(local.database, "demo/handbook", second))
    assert said == "5/8 documents, 50 chunks, 1 of 3 shards done"
