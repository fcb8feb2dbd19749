"""The `langgraph` architecture: a graph that retrieves, chooses sentences, and composes an answer or abstains.

    retrieve -> choose -> compose
                      \\-> abstain

The nodes write the run's events to the graph's custom stream, so that each is sent as soon as it is known. Nothing is
kept between questions: a run that another host takes over starts again, and comes to the same answer.
"""

import logging
from collections.abc import AsyncIterator
from typing import Literal, TypedDict, cast

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from prometheus_client import Counter

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.protocol import AgentRequest
from slipway_runtime.events import Delta, Done, Event, RetrievalUsage, Retrieved, Usage
from slipway_runtime.knowledge.retrieval.extractive import ABSTENTION, Quote, answer_parts, choose, quotes
from slipway_runtime.knowledge.retrieval.retriever import Found, IndexNotReady, Retriever
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import read_passages

log = logging.getLogger(__name__)
MISMATCHES = Counter(
    "slipway_citation_mismatches", "Quotes dropped because the stored document does not say so", ["agent"]
)


class State(TypedDict, total=False):
    """What the nodes hand on."""

    question: str
    found: list[Found]
    chosen: list[Quote]


class LangGraphAgent:
    """See `Agent`. Answers from the indexes that its configuration names."""

    def __init__(self, config: AgentConfig, *, retriever: Retriever, database: Database) -> None:
        self._config = config
        self._name = f"{config.namespace}/{config.name}"
        self._retriever = retriever
        self._database = database
        self._graph = self._build()

    async def run(self, request: AgentRequest) -> AsyncIterator[Event]:
        """See `Agent`.

        Raises:
            Problem: IndexNotReady if an index cannot be searched now.
            StoreUnavailable: if the store is unavailable.
        """
        start: State = {"question": request.question}
        try:
            async for event in self._graph.astream(start, stream_mode="custom"):
                yield cast(Event, event)
        except IndexNotReady as error:
            raise Problem(Reason.INDEX_NOT_READY, f"{error}; try again shortly") from error

    async def missing(self) -> list[str]:
        """See `Agent`."""
        return await self._retriever.missing(self._config.knowledge)

    def _build(self) -> CompiledStateGraph[State, None, State, State]:
        graph = StateGraph(State)
        graph.add_node("retrieve", self._retrieve)
        graph.add_node("choose", self._choose)
        graph.add_node("compose", self._compose)
        graph.add_node("abstain", self._abstain)
        graph.add_edge(START, "retrieve")
        graph.add_edge("retrieve", "choose")
        graph.add_conditional_edges("choose", self._route)
        graph.add_edge("compose", END)
        graph.add_edge("abstain", END)
        return graph.compile()

    async def _retrieve(self, state: State) -> State:
        found = await self._retriever.retrieve(state["question"], self._config.knowledge)
        best = found[0].relevance if found else 0.0
        get_stream_writer()(Retrieved(chunks=len(found), best_score=round(best, 4)))
        return {"found": found}

    async def _choose(self, state: State) -> State:
        """Choose, and look every quote up in the stored document: what it does not say word for word is not cited."""
        chosen = choose(quotes(state["found"]))
        verified: list[Quote] = []
        if chosen:
            passages = [quote.passage for quote in chosen]
            stored = await read_passages(self._database, chosen[0].build, passages)
            verified = [quote for quote, text in zip(chosen, stored, strict=True) if quote.text == text]
        if len(verified) < len(chosen):
            MISMATCHES.labels(self._name).inc(len(chosen) - len(verified))
            log.warning("%d quotes dropped: the stored document differs", len(chosen) - len(verified))
        return {"chosen": verified}

    @staticmethod
    def _route(state: State) -> Literal["compose", "abstain"]:
        return "compose" if state["chosen"] else "abstain"

    async def _compose(self, state: State) -> State:
        parts = answer_parts(state["chosen"])
        citations = tuple(quote.citation() for quote in state["chosen"])
        write = get_stream_writer()
        for part, citation in zip(parts, citations, strict=True):
            write(Delta(text=part, citation=citation))
        write(self._usage(state))
        write(Done(answer="".join(parts), finish="stop", sources=citations))
        return {}

    async def _abstain(self, state: State) -> State:
        write = get_stream_writer()
        write(Delta(text=ABSTENTION))
        write(self._usage(state))
        write(Done(answer=ABSTENTION, finish="abstained", sources=()))
        return {}

    @staticmethod
    def _usage(state: State) -> Usage:
        return Usage(retrieval=RetrievalUsage(chunks=len(state["found"]), embedded_texts=1))
