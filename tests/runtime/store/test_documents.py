"""Documents, chunks and pointers behave the same in both engines."""

from dataclasses import replace

import pytest

from slipway_crds.runtimeconfig import SearchConfig
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import (
    Build,
    DocumentState,
    Passage,
    Presence,
    StoredChunk,
    StoredDocument,
    chunk_ids,
    counts,
    delete_build,
    delete_documents,
    document_states,
    pend,
    pending_ids,
    present_chunks,
    read_chunks,
    replace_document,
    revisions,
    settle,
)
from slipway_runtime.store.pointers import IndexPointer, read_pointer, write_pointer

BUILD = Build("demo/handbook", "r-1")
TEXT = "Grüße 🙂 an alle. Ein zweiter Satz."


def document(name: str = "a.md", *, text: str = TEXT, hash_: str = "h1") -> StoredDocument:
    return StoredDocument(source="docs", name=name, title="A", text=text, hash=hash_, version="v", metadata="{}")


def chunk(id_: str, *, name: str = "a.md", ordinal: int = 0) -> StoredChunk:
    return StoredChunk(
        id=id_,
        source="docs",
        document=name,
        ordinal=ordinal,
        heading="A > B",
        start=0,
        end=len(TEXT),
        text=TEXT,
        sentences="[[0, 17, 's']]",
        vectors=b"\x00\x01\x02\xff",
    )


async def test_what_is_written_is_read(database: Database) -> None:
    await replace_document(database, BUILD, document(), [chunk("1"), chunk("2", ordinal=1)])
    assert await document_states(database, BUILD) == {("docs", "a.md"): DocumentState("v", "h1", 2)}
    assert await chunk_ids(database, BUILD) == {("docs", "a.md"): {"1", "2"}}
    assert await counts(database, BUILD) == (1, 2)
    assert await read_chunks(database, BUILD, ["2", "missing", "1"]) == [
        (chunk("2", ordinal=1), None),
        (chunk("1"), None),
    ]


@pytest.mark.parametrize("otherwise", [TEXT.replace("alle", "Dich"), TEXT[:5], ""])
async def test_a_chunk_comes_with_what_the_document_says_otherwise(database: Database, otherwise: str) -> None:
    await replace_document(database, BUILD, document(text=otherwise), [chunk("1")])
    assert await read_chunks(database, BUILD, ["1"]) == [(chunk("1"), otherwise)]
    await database.execute("DELETE FROM documents")
    assert await read_chunks(database, BUILD, ["1"]) == [(chunk("1"), "")]


async def test_the_build_in_force_tells_which_chunks_are_there(database: Database) -> None:
    await replace_document(database, BUILD, document(), [chunk("1")])
    assert await present_chunks(database, BUILD.index, ["1"]) == Presence(None)
    pointer = IndexPointer(BUILD.index, BUILD.revision, "f", documents=1, chunks=1, failed=0)
    await write_pointer(database, pointer)
    assert await present_chunks(database, BUILD.index, ["1", "2"]) == Presence(BUILD.revision, "{}", frozenset({"1"}))
    assert await present_chunks(database, BUILD.index, []) == Presence(BUILD.revision)
    await write_pointer(database, replace(pointer, search=SearchConfig(mode="dense")))
    assert (await present_chunks(database, BUILD.index, [])).search == '{"mode":"dense"}'
    await write_pointer(database, replace(pointer, revision="r-2"))
    assert await present_chunks(database, BUILD.index, ["1"]) == Presence("r-2")


async def test_replacing_a_document_takes_its_old_chunks_away(database: Database) -> None:
    await replace_document(database, BUILD, document(), [chunk("1"), chunk("2")])
    await replace_document(database, BUILD, document(hash_="h2"), [chunk("2"), chunk("3")])
    assert await document_states(database, BUILD) == {("docs", "a.md"): DocumentState("v", "h2", 2)}
    assert await chunk_ids(database, BUILD) == {("docs", "a.md"): {"2", "3"}}


async def test_chunks_that_are_not_there_any_more_are_pending_until_they_are_settled(database: Database) -> None:
    await pend(database, BUILD, ["1", "2"])
    assert await pending_ids(database, BUILD) == ["1", "2"]
    await replace_document(database, BUILD, document(), [chunk("1"), chunk("2")])
    assert await pending_ids(database, BUILD) == []
    await replace_document(database, BUILD, document(hash_="h2"), [chunk("2")])
    assert await pending_ids(database, BUILD) == ["1"]
    await delete_documents(database, BUILD, [("docs", "a.md")])
    assert await pending_ids(database, BUILD) == ["1", "2"]
    await settle(database, BUILD)
    assert await pending_ids(database, BUILD) == []


async def test_a_build_of_which_only_vectors_were_begun_is_known(database: Database) -> None:
    await pend(database, BUILD, ["1"])
    assert await revisions(database, BUILD.index) == {BUILD.revision}
    await delete_build(database, BUILD)
    assert await revisions(database, BUILD.index) == set()


async def test_a_document_may_be_without_chunks(database: Database) -> None:
    await replace_document(database, BUILD, document(text=""), [])
    assert await counts(database, BUILD) == (1, 0)


async def test_builds_are_apart(database: Database) -> None:
    other = Build("demo/handbook", "r-2")
    await replace_document(database, BUILD, document(), [chunk("1")])
    await replace_document(database, other, document(), [chunk("1-of-2")])
    assert await read_chunks(database, BUILD, ["1-of-2"]) == []
    assert await revisions(database, "demo/handbook") == {"r-1", "r-2"}
    await delete_build(database, BUILD)
    assert await revisions(database, "demo/handbook") == {"r-2"}
    assert await counts(database, other) == (1, 1)


async def test_documents_are_removed_with_their_chunks(database: Database) -> None:
    await replace_document(database, BUILD, document("a.md"), [chunk("1")])
    await replace_document(database, BUILD, document("b.md"), [chunk("2", name="b.md")])
    await delete_documents(database, BUILD, [("docs", "a.md"), ("docs", "never-there.md")])
    assert await chunk_ids(database, BUILD) == {("docs", "b.md"): {"2"}}
    assert set(await document_states(database, BUILD)) == {("docs", "b.md")}


async def test_passages_count_characters_in_both_engines(database: Database) -> None:
    await replace_document(database, BUILD, document(), [])
    places = [(0, 5), (6, 7), (18, len(TEXT)), (len(TEXT), len(TEXT) + 5)]
    passages = [Passage("docs", "a.md", start, end) for start, end in places]
    assert await DocumentStore(database).read_passages(BUILD, passages) == [TEXT[start:end] for start, end in places]


async def test_a_passage_of_a_missing_document_is_none(database: Database) -> None:
    assert await DocumentStore(database).read_passages(BUILD, [Passage("docs", "gone.md", 0, 3)]) == [None]
    assert await DocumentStore(database).read_passages(BUILD, []) == []


async def test_the_pointer_moves(database: Database) -> None:
    assert await read_pointer(database, BUILD.index) is None
    first = IndexPointer(BUILD.index, "r-1", "f1", documents=3, chunks=9, failed=1)
    await write_pointer(database, first)
    assert await read_pointer(database, BUILD.index) == first
    second = IndexPointer(BUILD.index, "r-2", "f2", documents=4, chunks=12, failed=0)
    await write_pointer(database, second)
    assert await read_pointer(database, BUILD.index) == second
    [row] = await database.fetch("SELECT synced_at, now_epoch() AS now FROM index_pointers")
    assert isinstance(row["synced_at"], float)
    assert isinstance(row["now"], float)
    assert 0 <= row["now"] - row["synced_at"] < 60
