"""An index is searched as its pointer says, and agents that are there follow a change."""

import pytest

from slipway_crds.resolve import ingest_config
from slipway_crds.runtimeconfig import IngestConfig
from slipway_runtime.agents.passages import given, verified
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.retrieval.found import Found, fused
from slipway_runtime.knowledge.retrieval.retriever import IndexNotReady
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.resolving import index

DOCUMENTS = {
    "cats_md": "# Cats\n\nCats sleep for most of the day. They hunt at dusk.\n",
    "tea_md": "# Tea\n\nGreen tea needs water of 70 degrees. Black tea needs boiling water.\n",
    "notes_md": "# Notes\n\nThe kettle ZX-81 hums.\n",
}


def config(knowledge: Knowledge, **search: str | int) -> IngestConfig:
    made = ingest_config(index(search=search))
    return made.model_copy(update={"namespace": knowledge.namespace, "sources": knowledge.config().sources})


async def found_by(knowledge: Knowledge, question: str, **search: str) -> list[Found]:
    await knowledge.ingestion(config(knowledge, **search)).run(contents(**DOCUMENTS))
    return await knowledge.retriever().retrieve(question, [entry()])


@pytest.mark.proves("VectorIndex.search.mode")
async def test_meaning_words_or_both(knowledge: Knowledge) -> None:
    question = "When are felines awake, and what hums?"
    dense = await found_by(knowledge, question, mode="dense")
    assert (len(dense), dense[0].wording) == (3, None)
    lexical = await found_by(knowledge, question, mode="lexical")
    assert [each.chunk.document for each in lexical] == ["notes.md"]
    hybrid = await found_by(knowledge, question, mode="hybrid")
    assert len(hybrid) == 3
    assert hybrid[0].wording is not None


async def test_words_alone_need_no_vectors(local: Knowledge) -> None:
    await local.ingestion(config(local, mode="lexical")).run(contents(**DOCUMENTS))
    retriever = local.retriever()
    await local.vectors.close()
    [found] = await retriever.retrieve("kettle", [entry()])
    assert (found.chunk.document, found.relevance) == ("notes.md", 1.0)


@pytest.mark.proves("VectorIndex.search.lexicalWeight")
async def test_the_weight_is_the_share_of_the_words(local: Knowledge) -> None:
    scores = {}
    for weight in ("0", "0.5", "1"):
        [best, *_] = await found_by(local, "How hot is water for green tea?", lexicalWeight=weight)
        assert best.chunk.document == "tea.md"
        scores[weight] = best.score
    assert scores["0.5"] == pytest.approx((scores["0"] + scores["1"]) / 2)
    assert scores["0"] != pytest.approx(scores["1"])


@pytest.mark.proves("VectorIndex.search.fusion")
async def test_ranks_leave_the_scores_alone(local: Knowledge) -> None:
    question = "How hot is water for green tea?"
    [dense, *_] = await found_by(local, question, mode="dense")
    [ranks, *_] = await found_by(local, question, fusion="rrf")
    [shares, *_] = await found_by(local, question, fusion="weighted")
    assert ranks.score == pytest.approx(dense.score)
    assert shares.score != pytest.approx(dense.score)


async def test_what_both_find_outranks_what_one_finds(local: Knowledge) -> None:
    found = await found_by(local, "How hot is water for green tea?", mode="dense")
    last = found[-1]
    assert last in fused(found, [last.chunk.id], 1)


async def test_agents_follow_a_change_of_the_search_alone(knowledge: Knowledge) -> None:
    """The build stays the same one, so nothing but the pointer says so."""
    first = await knowledge.ingestion(config(knowledge, mode="dense")).run(contents(**DOCUMENTS))
    retriever = knowledge.retriever()
    assert {each.wording for each in await retriever.retrieve("kettle", [entry()])} == {None}
    again = await knowledge.ingestion(config(knowledge, mode="lexical")).run(contents(**DOCUMENTS))
    assert again.revision == first.revision
    assert [each.chunk.document for each in await retriever.retrieve("kettle", [entry()])] == ["notes.md"]


@pytest.mark.proves("VectorIndex.search.neighbours")
async def test_models_get_what_stands_around_a_passage(knowledge: Knowledge) -> None:
    steps = " ".join(f"Step {number} of the long way is done with tool number {number}." for number in range(1, 61))
    text = f"# Way\n\nBegin here.\n\n## Steps\n\n{steps}\n\n## End\n\nRest.\n"
    made = config(knowledge, neighbours=1).model_copy(update={"max_tokens": 100, "overlap": 10})
    await knowledge.ingestion(made).run(contents(way_md=text))
    [found] = await knowledge.retriever().retrieve("What is done in step 30 with which tool?", [entry(top_k=1)])
    [passage] = await verified(DocumentStore(knowledge.database), given([found]))
    assert passage.start < found.chunk.start
    assert passage.start + len(passage.text) > found.chunk.end
    assert passage.text == text[passage.start : passage.start + len(passage.text)]
    assert "Begin here" not in passage.text
    assert "Rest." not in passage.text
    assert len(passage.pieces) == len(set(passage.pieces)) > len(found.pieces)


async def test_an_index_that_was_never_built_is_not_ready(local: Knowledge) -> None:
    with pytest.raises(IndexNotReady):
        await local.retriever().retrieve("kettle", [entry()])
