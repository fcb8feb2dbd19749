"""The document store does the same with texts in the store (SQLite, Postgres), in another Postgres and in MongoDB.

MongoDB is a stand-in that speaks its wire protocol: contract-tested, not verified live.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from slipway_crds.runtimeconfig import DocumentsConfig
from slipway_runtime.knowledge.access import reading_for
from slipway_runtime.knowledge.documents.document_store import HERE, DocumentStore
from slipway_runtime.knowledge.documents.mongo_texts import PART
from slipway_runtime.knowledge.documents.opening import TextStores
from slipway_runtime.knowledge.terms import terms
from slipway_runtime.knowledge.vectors.filters import Compare
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.document_states import begin_documents, fail_document
from slipway_runtime.store.documents import Build, Passage, StoredChunk, StoredDocument, read_chunks
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.texts import TextKey, TextsRefused
from tests.support.mongo_server import AUTHENTICATION_FAILED, UNAVAILABLE, MongoServer

INDEX = "demo/handbook"
BUILD, OTHER = Build(INDEX, "r-1"), Build(INDEX, "r-2")
FILE = "handbook/texts/connection"
TEXT = "Grüße 🙂 an alle.\nEin zweiter Satz."


@dataclass(frozen=True)
class Kept:
    """A document store, and where it keeps texts."""

    store: DocumentStore
    place: DocumentsConfig
    texts: TextStores

    async def put(self, name: str, text: str = TEXT, *, build: Build = BUILD, team: str = "water") -> None:
        """Store a document with one chunk."""
        await self.store.store_document(
            build, document(name, text, team), [chunk(build, name, text, team)], place=self.place
        )

    async def texts_left(self, build: Build = BUILD) -> set[TextKey]:
        """What is kept outside of the store."""
        return set() if self.place == HERE else await (await self.texts(INDEX, self.place)).text_keys(build)


def document(name: str, text: str = TEXT, team: str = "water") -> StoredDocument:
    said = orjson.dumps({"team": team, "access": [team]}).decode()
    return StoredDocument(
        source="docs", name=name, title=name, text=text, hash=f"h{len(text)}", version="v", metadata=said
    )


def chunk(build: Build, name: str, text: str, team: str) -> StoredChunk:
    return StoredChunk(
        id=f"{build.revision}-{name}-{len(text)}",
        source="docs",
        document=name,
        ordinal=0,
        heading="",
        start=0,
        end=min(len(text), 200),
        text=text[:200],
        sentences="[]",
        vectors=b"",
        attributes=orjson.dumps({"team": team}).decode(),
        terms=" ".join(terms(text[:200])),
    )


@pytest.fixture(params=["sqlite", "postgres", "other-postgres", "mongodb"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def postgres(request: pytest.FixtureRequest, kind: str) -> str:
    return str(request.getfixturevalue("postgres_dsn")) if "postgres" in kind else ""


@pytest.fixture
async def kept(kind: str, postgres: str, tmp_path: Path) -> AsyncIterator[Kept]:
    dsn = postgres if kind == "postgres" else f"sqlite:///{tmp_path}/s.db"
    async with MongoServer() as mongo:
        place, connection = HERE, ""
        if kind == "other-postgres":
            place = DocumentsConfig(kind="postgres", connection=FILE)
            connection = postgres
        if kind == "mongodb":
            place, connection = DocumentsConfig(kind="mongodb", connection=FILE), mongo.uri
        file = tmp_path / FILE
        file.parent.mkdir(parents=True)
        file.write_text(connection)
        database = await open_database(dsn)
        texts = TextStores(database, connections=lambda _: tmp_path)
        yield Kept(DocumentStore(database, texts), place, texts)
        await texts.close()
        await database.close()


async def test_a_document_is_read_whole_and_by_its_places(kept: Kept) -> None:
    await kept.put("a.md")
    found = await kept.store.get_document(BUILD, "docs", "a.md")
    assert found is not None
    assert found.text == TEXT
    assert await kept.store.get_document(BUILD, "docs", "b.md") is None
    places = [Passage("docs", "a.md", 0, 7), Passage("docs", "gone.md", 0, 3), Passage("docs", "a.md", 18, 99)]
    assert await kept.store.read_passages(BUILD, places) == [TEXT[:7], None, TEXT[18:]]
    read = await kept.store.compared(BUILD, await read_chunks(kept.store.database, BUILD, [f"r-1-a.md-{len(TEXT)}"]))
    assert [otherwise for _, otherwise in read] == [None]


async def test_a_long_text_is_read_across_the_parts_that_it_is_kept_in(kept: Kept) -> None:
    text = "".join(f"{number:07} " for number in range(PART // 4))
    await kept.put("long.md", text)
    await kept.put("empty.md", "")
    found = await kept.store.get_document(BUILD, "docs", "long.md")
    assert found is not None
    assert found.text == text
    places = [Passage("docs", "long.md", PART - 5, PART + 5), Passage("docs", "empty.md", 0, 1)]
    assert await kept.store.read_passages(BUILD, places) == [text[PART - 5 : PART + 5], ""]


async def test_a_new_version_replaces_the_former_one_and_leaves_nothing(kept: Kept) -> None:
    await kept.put("a.md")
    await kept.put("a.md", "New.")
    await kept.put("a.md", build=OTHER)
    await kept.store.sweep_texts(BUILD, kept.place)
    assert await kept.store.read_passages(BUILD, [Passage("docs", "a.md", 0, 9)]) == ["New."]
    assert len(await kept.texts_left()) == (kept.place != HERE)
    await kept.store.delete_documents(BUILD, [("docs", "a.md")], place=kept.place)
    assert await kept.store.get_document(BUILD, "docs", "a.md") is None
    assert await kept.texts_left() == set()
    other = await kept.store.get_document(OTHER, "docs", "a.md")
    assert other is not None
    assert other.text == TEXT


async def test_what_is_read_is_the_former_version_until_the_new_one_is_whole(kept: Kept) -> None:
    await kept.put("a.md")
    if kept.place != HERE:  # as an ingestion that ends in between leaves it
        texts = await kept.texts(INDEX, kept.place)
        await texts.put_text(BUILD, TextKey("docs", "a.md", "h4"), "New.")
    assert await kept.store.read_passages(BUILD, [Passage("docs", "a.md", 0, 7)]) == [TEXT[:7]]
    await kept.store.sweep_texts(BUILD, kept.place)
    assert await kept.store.read_passages(BUILD, [Passage("docs", "a.md", 0, 7)]) == [TEXT[:7]]


async def test_a_build_and_an_index_go_with_their_texts(kept: Kept) -> None:
    await kept.put("a.md")
    await kept.put("a.md", build=OTHER)
    await kept.store.drop_build(BUILD, kept.place)
    assert await kept.store.get_document(BUILD, "docs", "a.md") is None
    assert await kept.texts_left() == set()
    assert await kept.store.get_document(OTHER, "docs", "a.md") is not None
    await kept.store.purge_texts(INDEX, kept.place)
    assert await kept.texts_left(OTHER) == set()


async def test_documents_are_listed_with_their_states_and_reasons(kept: Kept) -> None:
    names = ["a.md", "b.md", "c.md"]
    await begin_documents(kept.store.database, BUILD, [("docs", name) for name in names], sources=["docs"])
    await kept.put("a.md")
    await fail_document(kept.store.database, BUILD, ("docs", "b.md"), "it is encrypted")
    listed = await kept.store.search_documents(BUILD)
    states = [(each.name, each.state, each.reason, each.readable) for each in listed]
    assert states == [
        ("a.md", "embedded", None, True),
        ("b.md", "failed", "it is encrypted", False),
        ("c.md", "pending", None, False),
    ]
    after = await kept.store.search_documents(BUILD, after=("docs", "a.md"), limit=1)
    assert [each.name for each in after] == ["b.md"]
    await kept.put("b.md")
    [again] = await kept.store.search_documents(BUILD, after=("docs", "a.md"), limit=1)
    assert (again.state, again.reason) == ("embedded", None)


async def test_an_ingestion_forgets_the_states_of_its_own_documents_alone(kept: Kept) -> None:
    database, names = kept.store.database, ("a.md", "b.md", "c.md")
    await begin_documents(database, BUILD, [("docs", name) for name in names], sources=["docs"])
    await fail_document(database, BUILD, ("docs", "b.md"), "it is encrypted")

    def ours(key: tuple[str, str]) -> bool:
        return key[1] != "b.md"

    await begin_documents(database, BUILD, [("docs", "c.md")], sources=["docs"], ours=ours)
    assert [(each.name, each.state) for each in await kept.store.search_documents(BUILD)] == [
        ("b.md", "failed"),
        ("c.md", "pending"),
    ], "a.md left its source, and b.md is of another shard"


async def test_texts_of_one_source_are_swept_alone(kept: Kept) -> None:
    if kept.place == HERE:
        return
    texts = await kept.texts(INDEX, kept.place)
    for source in ("docs", "more"):
        await texts.put_text(BUILD, TextKey(source, "a.md", "h1"), "Begun.")
    await kept.store.sweep_texts(BUILD, kept.place, source="docs")
    assert await kept.texts_left() == {TextKey("more", "a.md", "h1")}
    await kept.store.sweep_texts(BUILD, kept.place)
    assert await kept.texts_left() == set()


async def test_documents_are_found_by_words_and_by_metadata(kept: Kept) -> None:
    await kept.put("pumps.md", "pump pressure valve")
    await kept.put("cats.md", "cat sleep", team="zoo")
    await kept.put("valves.md", "valve", team="zoo")
    found = await kept.store.search_documents(BUILD, "valve")
    assert {each.name for each in found} == {"pumps.md", "valves.md"}
    zoo = Compare("team", "eq", "zoo")
    assert [each.name for each in await kept.store.search_documents(BUILD, "valve", zoo)] == ["valves.md"]
    assert [each.name for each in await kept.store.search_documents(BUILD, where=zoo)] == ["cats.md", "valves.md"]
    with reading_for(("zoo",)):
        shown = await kept.store.search_documents(BUILD, "valve", restricted=True)
    assert [each.name for each in shown] == ["valves.md"]
    assert await kept.store.search_documents(BUILD, restricted=True) == []


@pytest.mark.parametrize(("answer", "error"), [(UNAVAILABLE, StoreUnavailable), (AUTHENTICATION_FAILED, TextsRefused)])
async def test_a_place_that_fails_is_named_and_loses_nothing(
    tmp_path: Path, answer: dict[str, object], error: type[Exception]
) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/s.db")
    async with MongoServer() as mongo:
        file = tmp_path / FILE
        file.parent.mkdir(parents=True)
        file.write_text(mongo.uri)
        texts = TextStores(database, connections=lambda _: tmp_path)
        kept = Kept(DocumentStore(database, texts), DocumentsConfig(kind="mongodb", connection=FILE), texts)
        await kept.put("a.md")
        mongo.refuse = answer
        with pytest.raises(error, match="MongoDB"):
            await kept.put("a.md", "New.")
        with pytest.raises(StoreUnavailable):
            await kept.store.read_passages(BUILD, [Passage("docs", "a.md", 0, 7)])
        mongo.refuse = None
        assert await kept.store.read_passages(BUILD, [Passage("docs", "a.md", 0, 7)]) == [TEXT[:7]]
        await texts.close()
    await database.close()


async def test_a_connection_that_is_not_there_says_which_secret_is_missing(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/s.db")
    texts = TextStores(database, connections=lambda _: tmp_path)
    with pytest.raises(StoreUnavailable, match="is there a Secret texts with the key connection"):
        await texts(INDEX, DocumentsConfig(kind="mongodb", connection=FILE))
    file = tmp_path / FILE
    file.parent.mkdir(parents=True)
    file.write_text("mysql://example.com/x")
    with pytest.raises(TextsRefused, match="write mongodb"):
        await texts(INDEX, DocumentsConfig(kind="mongodb", connection=FILE))
    await database.close()
