"""The search by words finds the same in both engines."""

from collections.abc import AsyncIterator

import pytest

from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import (
    Build,
    StoredChunk,
    StoredDocument,
    delete_build,
    delete_documents,
    replace_document,
)
from slipway_runtime.store.lexical import COMMON, frequencies, search_terms
from slipway_runtime.store.opening import open_database

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
