"""A build takes the place of another one only if it has what that has, and if searches find it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import AcceptanceConfig, IngestConfig, IngestReport
from slipway_runtime.knowledge.ingestion.acceptance import Acceptance
from slipway_runtime.knowledge.ingestion.acceptance_cases import (
    AcceptanceCasesInvalid,
    parse_acceptance_cases,
    read_acceptance_cases,
)
from slipway_runtime.knowledge.ingestion.recall import BuildVectors, recall
from slipway_runtime.knowledge.ingestion.sources import ItemsSource
from slipway_runtime.knowledge.vectors.contract import Match
from slipway_runtime.store.documents import Build
from slipway_runtime.store.pointers import read_pointer
from tests.support.knowledge import Knowledge, contents, entry

CATS = "# Cats\n\nCats sleep for most of the day. They hunt at night.\n"
BOATS = "# Boats\n\nA slipway is a ramp on which boats are launched. It leads into the water.\n"
FRUIT = ("Apples", "Pears", "Plums", "Figs", "Dates", "Limes", "Melons", "Grapes", "Quinces", "Kiwis", "Mangos", "Nuts")
ORCHARD = contents(**{f"{name.lower()}_md": f"# {name}\n\n{name} are kept in a cool cellar.\n" for name in FRUIT})


class Forgetful:
    """A back end whose searches leave out the nearest vectors, or which has lost some."""

    def __init__(self, knowledge: Knowledge, *, left_out: int = 0, lost: int = 0) -> None:
        self._vectors, self._left_out, self._lost = knowledge.vectors, left_out, lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vectors, name)

    async def search(self, collection: str, vector: Any, count: int, where: Any = None) -> list[Match]:
        found: list[Match] = await self._vectors.search(collection, vector, count, where)
        return found[self._left_out :]

    async def count(self, collection: str) -> int:
        return await self._vectors.count(collection) - self._lost


def other(knowledge: Knowledge, **changes: Any) -> IngestConfig:
    """Another way of cutting, so another build."""
    return knowledge.config(max_tokens=50).model_copy(update=changes)


def forgetful(knowledge: Knowledge, **faults: int) -> Knowledge:
    return Knowledge(knowledge.database, Forgetful(knowledge, **faults), knowledge.embedder, knowledge.namespace)


async def served(knowledge: Knowledge) -> str:
    pointer = await read_pointer(knowledge.database, f"{knowledge.namespace}/handbook")
    return pointer.revision if pointer is not None else ""


async def run(
    knowledge: Knowledge, sources: Sequence[ItemsSource], config: IngestConfig | None = None, *, cases: str = ""
) -> IngestReport:
    config = config or knowledge.config()
    parsed = parse_acceptance_cases("cases/list.yaml", cases.encode()) if cases else ()
    return await knowledge.ingestion(config, acceptance=Acceptance(config.acceptance, parsed)).run(sources)


async def test_real_back_ends_find_the_nearest_vectors(knowledge: Knowledge) -> None:
    report = await run(knowledge, ORCHARD, cases='- {question: "Where do figs go?", documents: [figs.md]}')
    assert report.acceptance is not None
    assert (report.acceptance.recall, report.acceptance.hit_rate, report.refused) == (1.0, 1.0, ())
    again = await run(knowledge, ORCHARD)
    assert again.acceptance is None, "nothing is flipped, so nothing is measured"


async def test_recall_is_the_share_of_the_nearest_ten_that_are_found(local: Knowledge) -> None:
    report = await run(local, ORCHARD)
    build = Build("demo/handbook", report.revision)
    store = Forgetful(local, left_out=3)
    vectors = BuildVectors(local.database, build, store, collection_name(*vars(build).values()), 384)
    assert await recall(vectors) == pytest.approx(0.7)


async def test_documents_that_are_all_alike_are_equally_near(local: Knowledge) -> None:
    same = contents(**{f"copy{number}_md": CATS for number in range(25)})
    report = await run(local, same)
    assert report.acceptance is not None
    assert report.acceptance.recall == 1.0


async def test_a_back_end_that_finds_too_little_is_not_read_until_less_is_asked_for(local: Knowledge) -> None:
    before = await run(local, ORCHARD)
    bad = forgetful(local, left_out=2)
    refused = await run(bad, ORCHARD, other(local))
    assert refused.refused == (
        "recall@10 is 0.800, and acceptance.minRecall asks for 0.95: choose another back end, or lower minRecall",
    )
    assert await served(local) == before.revision
    assert await local.retriever().retrieve("where are figs kept?", [entry()])
    accepted = await run(bad, ORCHARD, other(local, acceptance=AcceptanceConfig(min_recall=0.8)))
    assert (accepted.revision, accepted.refused) == (refused.revision, ())
    assert await served(local) == accepted.revision


async def test_questions_that_find_none_of_their_documents_are_named(local: Knowledge) -> None:
    before = await run(local, contents(cats_md=CATS))
    cases = """
    - {question: "When do cats hunt?", documents: [cats.md]}
    - {question: "Who bakes?", documents: [bread.md]}
    """
    refused = await run(local, contents(cats_md=CATS, boats_md=BOATS), other(local), cases=cases)
    assert refused.acceptance is not None
    assert refused.acceptance.hit_rate == 0.5
    assert "1 of 2 questions find a document of theirs" in refused.refused[0]
    assert "'Who bakes?'" in refused.refused[0]
    assert await served(local) == before.revision


async def test_a_document_that_agents_find_is_not_lost_by_a_build(local: Knowledge) -> None:
    before = await run(local, contents(cats_md=CATS, boats_md=BOATS))
    unreadable = contents(cats_md=CATS, boats_md=b"\xff\xfe")
    refused = await run(local, unreadable, other(local))
    assert "1 documents that agents find now could not be read this time: docs/boats.md" in refused.refused[0]
    assert await served(local) == before.revision
    gone = await run(local, contents(cats_md=CATS), other(local))
    assert (gone.refused, gone.documents) == ((), 1), "the sources do not have it any more"


async def test_a_build_without_some_of_its_vectors_is_refused_and_never_read(local: Knowledge) -> None:
    refused = await run(forgetful(local, lost=1), contents(cats_md=CATS, boats_md=BOATS))
    assert "the back end has 1 of 2 vectors" in refused.refused[0]
    assert await served(local) == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- question: [", "is no YAML"),
        ("", "write a list of entries with `question` and `documents`"),
        ("- {question: 'Who?'}", r"at 0\.documents: Field required"),
        ("- {question: 'Who?', documents: [a.md], kind: easy}", r"at 0\.kind"),
    ],
)
def test_cases_that_are_none_say_where_and_what_to_write(text: str, says: str) -> None:
    with pytest.raises(AcceptanceCasesInvalid, match=says):
        parse_acceptance_cases("questions/list.yaml", text.encode())


def test_a_key_that_the_config_map_lacks_is_named(tmp_path: Path) -> None:
    assert read_acceptance_cases(tmp_path, None) == ()
    with pytest.raises(AcceptanceCasesInvalid, match="the ConfigMap questions has no key list"):
        read_acceptance_cases(tmp_path, "questions/list.yaml")
