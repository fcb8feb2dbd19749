"""Documents that are for groups are found by nobody else: by meaning, by words, around others, or as a whole."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from slipway_crds.resolve import ingest_config
from slipway_crds.runtimeconfig import IngestConfig, SearchMode, SourceConfig
from slipway_runtime.agents.direct_tools import DirectTools
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.agents.passages import given, verified
from slipway_runtime.agents.search_filters import Filters
from slipway_runtime.knowledge.access import groups_in, reading_for
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.embedding.embedder import Vector
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.ingestion.documents import make_document
from slipway_runtime.knowledge.ingestion.restricting import with_access
from slipway_runtime.knowledge.ingestion.sources import ItemsSource
from slipway_runtime.knowledge.ingestion.uploads import UploadSource, upload_version
from slipway_runtime.knowledge.vectors.contract import Capabilities, VectorsRefused
from slipway_runtime.knowledge.vectors.servers import connected
from slipway_runtime.problems import Problem
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.uploads import NewUpload, put_upload
from tests.runtime.knowledge.ingestion.test_ingestion import CountingEmbedder
from tests.runtime.knowledge.vectors.back_ends import database_with_pgvector
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.resolving import index
from tests.support.scripted_host import Options
from tests.support.scripted_host import config as agent

PAY = "What is the salary of a grade seven engineer?"
DOCUMENTS = {
    "staff_md": "# Salaries\n\nThe salary of a grade seven engineer is on the list of the staff.\n",
    "hr_md": "---\naccess: [hr, board]\n---\n# Salaries\n\nThe salary of a grade seven engineer is 70 ducats.\n",
    "none_md": "---\naccess: []\n---\n# Salaries\n\nThe salary of a grade seven engineer is nobody's business.\n",
    "odd_md": "---\naccess: 7\n---\n# Salaries\n\nThe salary of a grade seven engineer has an odd access.\n",
    "broken_md": "---\naccess: [hr\n---\n# Salaries\n\nThe salary of a grade seven engineer was written in a hurry.\n",
    "rows_csv": "grade,access,text\n7,hr,The salary of a grade seven engineer is a row.\n",
}
WHO: Mapping[tuple[str, ...], set[str]] = {
    (): set(),
    ("other",): set(),
    ("staff",): {"staff.md"},
    ("hr",): {"hr.md"},
    ("board", "staff"): {"hr.md", "staff.md"},
}


@pytest.fixture
async def pgvector(postgres_server: str, embedder: MiniLM) -> AsyncIterator[Knowledge]:
    """Postgres for both."""
    dsn = await database_with_pgvector(postgres_server)
    async with AsyncExitStack() as stack:
        database = await open_database(dsn)
        stack.push_async_callback(database.close)
        vectors = connected("pgvector", dsn)
        stack.push_async_callback(vectors.close)
        yield Knowledge(database, vectors, embedder, "demo")


@pytest.fixture(params=["local", "served", "pgvector"])
def everywhere(request: pytest.FixtureRequest) -> Knowledge:
    """Each pair of stores in turn."""
    made: Knowledge = request.getfixturevalue(request.param)
    return made


def config(knowledge: Knowledge, access: Mapping[str, Any] | None, **spec: Any) -> IngestConfig:
    source: dict[str, Any] = {"name": "docs", "configMap": {"name": "docs"}}
    made = ingest_config(index(sources=[source | ({} if access is None else {"access": access})], **spec))
    return made.model_copy(update={"namespace": knowledge.namespace})


def tools(knowledge: Knowledge) -> DirectTools:
    made = agent(f"{knowledge.namespace}/helper", Options(dsn="", public_key=""))
    dependencies = AgentDependencies(
        database=knowledge.database, embedder=knowledge.embedder, vectors=lambda *_: knowledge.vectors
    )
    read = entry(top_k=10, min_score=0)
    return DirectTools(made.model_copy(update={"knowledge": (read,)}), dependencies)


async def found_by(knowledge: Knowledge, *groups: str) -> set[str]:
    with reading_for(groups):
        found = await knowledge.retriever().retrieve(PAY, [entry(top_k=10, min_score=0)])
    return {each.chunk.document for each in found}


async def read_by(knowledge: Knowledge, *groups: str) -> set[str]:
    """The documents that are given as a whole."""
    read = set()
    for name in (each.replace("_", ".") for each in DOCUMENTS):
        with reading_for(groups):
            try:
                await tools(knowledge).document("handbook", "docs", name)
                read.add(name)
            except Problem:
                pass
    return read


@pytest.mark.proves("VectorIndex.sources[].access.groups")
@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
async def test_only_members_find_and_read_a_document(everywhere: Knowledge, mode: SearchMode) -> None:
    made = config(everywhere, {"groups": ["staff"]}, search={"mode": mode, "neighbours": 2})
    await everywhere.ingestion(made).run(contents(**DOCUMENTS))
    for groups, expected in WHO.items():
        assert await found_by(everywhere, *groups) == expected, groups
        assert await read_by(everywhere, *groups) == expected, groups
        with reading_for(groups):
            searched = await tools(everywhere).search(PAY, Filters())
            odd = await tools(everywhere).search(PAY, Filters(where={"not": {"field": "access", "op": "exists"}}))
        assert ({each["document"] for each in searched}, odd) == (expected, [])


async def test_the_same_documents_are_for_all_in_an_index_without_access(everywhere: Knowledge) -> None:
    await everywhere.ingestion(config(everywhere, None)).run(contents(**DOCUMENTS))
    assert len(await found_by(everywhere)) == len(await read_by(everywhere)) == len(DOCUMENTS)


async def test_a_change_embeds_nothing_and_agents_that_are_there_follow_it(everywhere: Knowledge) -> None:
    counting = CountingEmbedder(everywhere.embedder)
    knowledge = replace(everywhere, embedder=counting)  # type: ignore[arg-type]
    documents = {"staff_md": DOCUMENTS["staff_md"], "hr_md": DOCUMENTS["hr_md"]}
    first = await knowledge.ingestion(config(knowledge, None)).run(contents(**documents))
    embedded, retriever = len(counting.texts), knowledge.retriever()

    async def found(*groups: str) -> set[str]:
        with reading_for(groups):
            return {each.chunk.document for each in await retriever.retrieve(PAY, [entry(min_score=0)])}

    assert (embedded > 0, await found()) == (True, {"staff.md", "hr.md"})
    for access, of_staff, of_all in (
        ({"groups": ["staff"]}, {"staff.md"}, set()),
        ({"groups": ["all"]}, set(), {"staff.md"}),
        ({}, set(), set()),
        (None, {"staff.md", "hr.md"}, {"staff.md", "hr.md"}),
    ):
        report = await knowledge.ingestion(config(knowledge, access)).run(contents(**documents))
        assert report.revision == first.revision
        assert (await found("staff"), await found("all")) == (of_staff, of_all), access
    assert len(counting.texts) == embedded


async def test_a_document_that_changes_its_groups_is_for_the_new_ones(everywhere: Knowledge) -> None:
    made = config(everywhere, {})
    await everywhere.ingestion(made).run(contents(hr_md=DOCUMENTS["hr_md"]))
    assert await found_by(everywhere, "hr") == {"hr.md"}
    await everywhere.ingestion(made).run(contents(hr_md=DOCUMENTS["hr_md"].replace("hr, board", "board")))
    assert (await found_by(everywhere, "hr"), await found_by(everywhere, "board")) == (set(), {"hr.md"})


async def test_sources_without_access_and_uploads_are_for_whom_they_name(local: Knowledge) -> None:
    made = config(local, {"groups": ["staff"]}, uploads={})
    made = made.model_copy(update={"sources": (*made.sources, SourceConfig(name="other"))})
    for name, metadata in (("mine.md", '{"access":["hr"]}'), ("yours.md", "{}")):
        content = f"The salary of a grade seven engineer is in {name}.".encode()
        version = upload_version(content, "", metadata)
        new = NewUpload(name, name, "", metadata, version, content, "ann")
        assert await put_upload(local.database, f"{local.namespace}/handbook", new)
    other = ItemsSource("other", {"other.md": DOCUMENTS["staff_md"].encode()})
    await local.ingestion(made).run([*contents(staff_md=DOCUMENTS["staff_md"]), other])
    await local.ingestion(made).update(UploadSource(local.database, f"{local.namespace}/handbook"))
    assert await found_by(local, "staff") == {"staff.md"}
    assert await found_by(local, "hr") == {"mine.md"}


class Deaf:
    """A back end that takes no notice of filters."""

    def __init__(self, knowledge: Knowledge, *, filters: bool) -> None:
        self._store = knowledge.vectors
        able = knowledge.vectors.capabilities.filters
        self.capabilities = Capabilities(filters=able if filters else able - {"contains_any"})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def search(self, collection: str, vector: Vector, count: int, where: object = None) -> object:
        return await self._store.search(collection, np.asarray(vector), count)


async def test_a_back_end_that_cannot_filter_is_refused_and_one_that_does_not_leaks_nothing(local: Knowledge) -> None:
    made = config(local, {"groups": ["staff"]}, search={"mode": "dense"})
    unable = replace(local, vectors=Deaf(local, filters=False))  # type: ignore[arg-type]
    with pytest.raises(VectorsRefused, match="access"):
        await unable.ingestion(made).run(contents(**DOCUMENTS))
    await local.ingestion(made).run(contents(**DOCUMENTS))
    deaf = replace(local, vectors=Deaf(local, filters=True))  # type: ignore[arg-type]
    for groups, expected in WHO.items():
        assert await found_by(deaf, *groups) == expected


async def test_what_stands_around_a_passage_is_of_the_same_document(local: Knowledge) -> None:
    lines = " ".join(f"Salary step {number} of a grade seven engineer is secret." for number in range(60))
    made = config(local, {}, search={"neighbours": 2})
    documents = {"a_md": f"---\naccess: a\n---\n{lines}\n", "b_md": f"---\naccess: b\n---\n{lines} Of b.\n"}
    await local.ingestion(made).run(contents(**documents))
    with reading_for(("a",)):
        found = await local.retriever().retrieve(PAY, [entry(min_score=0)])
        passages = await verified(DocumentStore(local.database), given(found))
    assert passages
    assert {each.document for each in passages} == {"a.md"}
    assert not any("Of b." in each.text for each in passages)


@pytest.mark.parametrize(
    ("metadata", "groups"),
    [
        ({}, ()),
        ({"access": "hr"}, ("hr",)),
        ({" access": ["staff"], "Access": "hr"}, ("hr",)),
        ({" access": ["staff"], "access": None}, ()),
        ({"access": '["hr","board"]'}, ("hr", "board")),
        ({"access": "[hr"}, ()),
        ({"access": ["hr", 7]}, ()),
        ({"access": ["hr", ""]}, ()),
        ({"access": {"groups": ["hr"]}}, ()),
        ({"access": [str(number) for number in range(33)]}, ()),
    ],
)
def test_which_groups_metadata_names(metadata: Mapping[str, object], groups: tuple[str, ...]) -> None:
    assert groups_in(metadata) == groups


def test_the_groups_come_before_whatever_else_a_document_says(local: Knowledge) -> None:
    many = "".join(f"field{number}: x\n" for number in range(40))
    document = make_document(source="docs", name="a.md", content=f"---\n{many}access: hr\n---\nText.\n".encode())
    made = with_access(config(local, {}), document)
    assert next(iter(made.metadata.items())) == ("access", ["hr"])
    assert orjson.dumps(dict(made.metadata)).count(b'"access"') == 1
