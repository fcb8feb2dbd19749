"""The agent answers with quotes that stand in the documents, or says that they do not answer."""

import orjson
import pytest
from prometheus_client import REGISTRY

from slipway_crds.runtimeconfig import AgentConfig, KnowledgeConfig
from slipway_runtime.agents.factory import AgentDependencies, make_agent
from slipway_runtime.agents.protocol import TURNS, Agent
from slipway_runtime.agents.steps import MemoryJournal, StepRun
from slipway_runtime.events import Delta, Done, Event, RetrievalUsage, Retrieved, Usage
from slipway_runtime.knowledge.retrieval.extractive import ABSTENTION
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import Message, TextPart
from slipway_runtime.run import AgentRequest
from slipway_runtime.store.database import Row, StoreUnavailable
from slipway_runtime.store.pointers import read_pointer
from slipway_runtime.store.sessions import FinishedTurn
from slipway_runtime.store.steps import StepRecord, dump_records, replay
from tests.support.knowledge import Knowledge, contents, entry

HANDBOOK = """# Tea

## Green

Green tea is brewed at *eighty* degrees.
It is drunk without milk.

```
kettle --temperature 80
```

# Cats

Cats sleep for most of the day.
"""
QUESTION = "How hot should the water for green tea be?"


def agent(knowledge: Knowledge, *entries: KnowledgeConfig) -> Agent:
    config = AgentConfig(
        namespace=knowledge.namespace,
        name="helper",
        architecture="langgraph",
        knowledge=entries or (entry(),),
        session_ttl_seconds=60,
        session_max_turns=5,
        in_flight=2,
        request_timeout_seconds=30,
    )
    dependencies = AgentDependencies(
        database=knowledge.database, embedder=knowledge.embedder, vectors=lambda *_: knowledge.vectors
    )
    return make_agent(config, dependencies)


async def ask(asked: Agent, question: str) -> list[Event]:
    journal = MemoryJournal()
    answer = await asked.run(StepRun(AgentRequest(question), journal))
    return [*journal.events, answer]


def done(events: list[Event]) -> Done:
    last = events[-1]
    assert isinstance(last, Done)
    return last


@pytest.mark.proves("Agent.architecture")
async def test_an_answer_is_retrieved_streamed_and_done(knowledge: Knowledge) -> None:
    await knowledge.ingestion().run(contents(handbook_md=HANDBOOK))
    events = await ask(agent(knowledge), QUESTION)
    assert [type(event) for event in (*events[:2], events[-1])] == [Retrieved, Usage, Done]
    deltas = [event for event in events if isinstance(event, Delta)]
    assert "".join(delta.text for delta in deltas) == done(events).answer
    assert tuple(delta.citation for delta in deltas) == done(events).sources
    assert "Green tea is brewed at eighty degrees." in done(events).answer
    assert not done(events).abstained


async def test_every_quote_stands_in_the_document_word_for_word(knowledge: Knowledge) -> None:
    await knowledge.ingestion().run(contents(handbook_md=HANDBOOK))
    sources = done(await ask(agent(knowledge), QUESTION)).sources
    assert sources
    for source in sources:
        assert source.document == "handbook.md"
        assert HANDBOOK[source.start : source.end] == source.quote
    assert "Green tea is brewed at *eighty* degrees." in [source.quote for source in sources]
    assert sources[0].heading == "Tea > Green"


@pytest.mark.proves("VectorIndex.sources[].name")
async def test_the_source_is_named_in_citations(local: Knowledge) -> None:
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    assert {source.source for source in done(await ask(agent(local), QUESTION)).sources} == {"docs"}


@pytest.mark.proves("Agent.knowledge[].name")
async def test_the_knowledge_entry_is_named_in_citations(local: Knowledge) -> None:
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    answer = done(await ask(agent(local, entry(name="kitchen")), QUESTION))
    assert {source.index for source in answer.sources} == {"kitchen"}


async def test_what_the_documents_do_not_say_is_not_answered(knowledge: Knowledge) -> None:
    await knowledge.ingestion().run(contents(handbook_md=HANDBOOK))
    events = await ask(agent(knowledge), "Who won the football world cup in 1998?")
    assert done(events) == Done(answer=ABSTENTION, finish="abstained", sources=())
    assert [event.text for event in events if isinstance(event, Delta)] == [ABSTENTION]


CATS = "What do cats do for most of the day?"
AGAIN = "And how many hours do they do it?"
BEFORE: list[AgentRequest] = [
    AgentRequest(AGAIN, turns=(FinishedTurn(CATS, "Cats sleep for most of the day.", abstained=False),)),
    AgentRequest(AGAIN, history=(Message(role="user", parts=(TextPart(text=CATS),)), Message(role="assistant"))),
]


@pytest.mark.parametrize("request_", BEFORE, ids=["turns of the session", "messages of the client"])
async def test_a_follow_up_is_searched_for_with_the_question_before_it(
    local: Knowledge, request_: AgentRequest
) -> None:
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    assert done(await ask(agent(local, entry(min_score=0.3)), AGAIN)).abstained
    journal = MemoryJournal()
    asked = agent(local, entry(min_score=0.3))
    assert {"history", TURNS} <= asked.honours
    answer = await asked.run(StepRun(request_, journal))
    assert "Cats sleep for most of the day." in answer.answer
    (usage,) = (event for event in journal.events if isinstance(event, Usage))
    assert usage.retrieval == RetrievalUsage(chunks=2, embedded_texts=2)


@pytest.mark.proves("Agent.knowledge[].minScore")
async def test_min_score_decides_between_answer_and_abstention(local: Knowledge) -> None:
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    assert done(await ask(agent(local, entry(min_score=0.99)), QUESTION)).abstained
    assert not done(await ask(agent(local, entry(min_score=0.1)), QUESTION)).abstained


async def test_a_quote_that_the_stored_document_does_not_say_is_dropped(local: Knowledge) -> None:
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    label = {"agent": "demo/helper"}
    before = REGISTRY.get_sample_value("slipway_citation_mismatches_total", label) or 0
    await local.database.execute("UPDATE documents SET text = $1", HANDBOOK.replace("eighty", "ninety"))
    answer = done(await ask(agent(local), QUESTION))
    assert "eighty" not in answer.answer
    assert "ninety" not in answer.answer
    assert all("brewed" not in source.quote for source in answer.sources)
    assert (REGISTRY.get_sample_value("slipway_citation_mismatches_total", label) or 0) > before


async def test_when_no_quote_is_left_the_agent_abstains(local: Knowledge) -> None:
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    await local.database.execute("UPDATE documents SET text = $1", "shifted " + HANDBOOK)
    assert done(await ask(agent(local), QUESTION)).abstained


async def test_without_an_index_the_run_fails_with_the_reason(local: Knowledge) -> None:
    with pytest.raises(Problem) as raised:
        await ask(agent(local), QUESTION)
    assert raised.value.reason is Reason.INDEX_NOT_READY
    assert "has not been built yet" in str(raised.value)


async def test_missing_names_the_index_until_it_is_built(local: Knowledge) -> None:
    asked = agent(local)
    assert await asked.missing() == ["the index demo/handbook has not been built yet"]
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    assert await asked.missing() == []


async def test_a_store_that_is_away_is_told_as_such(local: Knowledge) -> None:
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    asked = agent(local)
    await local.database.close()
    with pytest.raises(StoreUnavailable):
        await ask(asked, QUESTION)


@pytest.mark.parametrize("recorded", [1, 2], ids=["retrieval", "answer"])
async def test_a_new_build_does_not_change_what_a_run_cites(local: Knowledge, recorded: int) -> None:
    """A host dies after a step, the index flips, and another host goes on."""
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    journal = MemoryJournal()
    first = await agent(local).run(StepRun(AgentRequest(QUESTION), journal))
    records = [entry for entry in journal.entries if isinstance(entry, StepRecord)]
    await local.ingestion(local.config(max_tokens=20)).run(contents(handbook_md=f"# New\n\n{HANDBOOK}"))
    row: Row = {"attempt": 1, "batch": "[]", "steps": dump_records(records[:recorded])}
    heir = MemoryJournal()
    second = await agent(local).run(StepRun(AgentRequest(QUESTION), heir, replay=replay([row], fresh_from=1)))
    assert second == first
    assert {event.type for event in heir.events} == ({"delta"} if recorded == 1 else set())
    revision = (await read_pointer(local.database, "demo/handbook") or pytest.fail("there is none")).revision
    assert {chunk[1] for chunk in orjson.loads(dump_records(records) or "")[0][4]["chunks"]} != {revision}


async def test_the_same_question_has_the_same_answer(local: Knowledge) -> None:
    """A run that another host takes over starts again: it must not come to another answer."""
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    assert await ask(agent(local), QUESTION) == await ask(agent(local), QUESTION)
