"""The search by words finds the same in both engines."""

from collections.abc import AsyncIterator

import pytest

from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import (
    Build,
    Presence,
    StoredChunk,
    StoredDocument,
    delete_build,
    delete_documents,
    replace_document,
)
from slipway_runtime.store.lexical import COMMON, IDS_AT_ONCE, frequencies, search_present, search_terms
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.pointers import IndexPointer, write_pointer

BUILD, OTHER = Build("demo/handbook", "r-1"), Build("demo/handbook", "r-2")
COLUMNS = (
    "id, index_name, revision, source, document, ordinal, heading, start_offset, end_offset, text, sentences, vectors,"
    " terms"
)
EVEN = {"tea": 1.0, "cat": 1.0, "e1042": 1.0}


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    opened = await open_database(dsn)
    yield opened
    await opened.close()


async def write(database: Database, build: Build, **documents: str) -> None:
    """Documents of one chunk, by name with their terms. The chunk's id is that of build and document."""
    for name, terms in documents.items():
        document = StoredDocument(
            source="docs", name=name, title=name, text=terms, hash="h", version="v", metadata="{}"
        )
        chunk = StoredChunk(
            id=f"{build.revision}/{name}",
            source="docs",
            document=name,
            ordinal=0,
            heading="",
            start=0,
            end=len(terms),
            text=terms,
            sentences="[]",
            vectors=b"",
            terms=terms,
        )
        await replace_document(database, build, document, [chunk])


async def test_chunks_come_by_how_many_of_the_words_they_have(database: Database) -> None:
    await write(database, BUILD, a="tea water", b="tea cat e1042", c="cat tea", d="dog")
    assert await search_terms(database, BUILD, EVEN, 10) == ["r-1/b", "r-1/c", "r-1/a"]
    assert await search_terms(database, BUILD, EVEN, 1) == ["r-1/b"]
    assert await search_terms(database, BUILD, {}, 10) == []


async def test_a_rare_word_counts_for_more(database: Database) -> None:
    await write(database, BUILD, a="e1042", b="tea cat", c="tea cat", d="tea cat", e="tea cat")
    [first, *_] = await search_terms(database, BUILD, {"tea": 0.2, "cat": 0.2, "e1042": 3.0}, 10)
    assert first == "r-1/a"


async def test_more_terms_than_are_weighed_at_once_all_count(database: Database) -> None:
    await write(database, BUILD, a="one two three", b="four five", c="five")
    weights = dict.fromkeys(("one", "two", "three", "four", "five"), 1.0)
    assert await search_terms(database, BUILD, weights, 10) == ["r-1/a", "r-1/b", "r-1/c"]


async def test_a_search_tells_what_is_there_of_what_was_found(database: Database) -> None:
    await write(database, BUILD, a="tea water", b="tea cat e1042", c="dog")
    words = ["r-1/b", "r-1/a"]
    assert await search_present(database, BUILD, EVEN, 10, ["r-1/c"]) == (words, Presence(None))
    await write_pointer(database, IndexPointer(BUILD.index, BUILD.revision, "f", documents=3, chunks=3, failed=0))
    many = ["r-1/c", *(f"gone/{number}" for number in range(IDS_AT_ONCE))]
    for ids, there in (([], words), (["r-1/b"], words), (["gone"], words), (many, [*words, "r-1/c"])):
        found, now = await search_present(database, BUILD, EVEN, 10, ids)
        assert found == words
        assert now == Presence(BUILD.revision, "{}", frozenset(there))
    nothing: tuple[dict[str, float], ...] = ({}, {"fish": 1.0})
    for weights in nothing:
        found, now = await search_present(database, BUILD, weights, 10, ["r-1/a"])
        assert (found, now.ids) == ([], frozenset({"r-1/a"}))
    await write_pointer(database, IndexPointer(BUILD.index, "r-2", "f", documents=3, chunks=3, failed=0))
    found, now = await search_present(database, BUILD, EVEN, 10, ["r-1/c"])
    assert (found, now.revision) == (words, "r-2")


async def test_words_are_counted_and_found_in_their_own_build(database: Database) -> None:
    await write(database, BUILD, a="tea", b="tea cat")
    await write(database, OTHER, a="tea", c="e1042")
    assert await frequencies(database, BUILD, ["tea", "cat", "e1042"]) == {"tea": 2, "cat": 1, "e1042": 0}
    assert sorted(await search_terms(database, OTHER, EVEN, 10)) == ["r-2/a", "r-2/c"]
    assert await frequencies(database, BUILD, []) == {}


async def test_letters_of_every_script_are_words(database: Database) -> None:
    await write(database, BUILD, a="größe straße", b="χαίρετε", c="4711ǀ02")
    found = [await search_terms(database, BUILD, {word: 1.0}, 5) for word in ("straße", "χαίρετε", "4711ǀ02", "grosse")]
    assert found == [["r-1/a"], ["r-1/b"], ["r-1/c"], []]


async def test_what_is_replaced_or_removed_is_found_no_more(database: Database) -> None:
    await write(database, BUILD, a="tea", b="tea", c="tea")
    await write(database, BUILD, a="cat")
    assert await search_terms(database, BUILD, {"tea": 1.0}, 5) == ["r-1/b", "r-1/c"]
    await delete_documents(database, BUILD, [("docs", "b")])
    assert await search_terms(database, BUILD, {"tea": 1.0}, 5) == ["r-1/c"]
    await delete_build(database, BUILD)
    assert await frequencies(database, BUILD, ["tea", "cat"]) == {"tea": 0, "cat": 0}


async def test_a_common_word_is_not_counted_to_the_end(database: Database) -> None:
    rows = [
        (f"{number}", BUILD.index, BUILD.revision, "docs", "a", number, "", 0, 1, "x", "[]", b"", "tea")
        for number in range(COMMON + 5)
    ]
    marks = ", ".join(f"${place}" for place in range(1, 14))
    await database.execute_many(f"INSERT INTO chunks ({COLUMNS}) VALUES ({marks})", rows)
    assert await frequencies(database, BUILD, ["tea"]) == {"tea": COMMON}
