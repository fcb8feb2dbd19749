"""What answers without a model: it retrieves, chooses sentences, and quotes them or abstains.

Both parts are steps. What was retrieved is recorded with the quotes that were chosen from it, so that a run which
another host takes over cites the same places, although the index may have a newer build by then.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import Counter

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.protocol import TURNS
from slipway_runtime.agents.retrieving import report, search
from slipway_runtime.events import Delta, Done
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.retrieval.extractive import ABSTENTION, Quote, answer_parts, choose, quotes
from slipway_runtime.knowledge.retrieval.follow_ups import context_of, joined_is_better
from slipway_runtime.knowledge.retrieval.found import Found
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.run import AgentRequest, Emit, Run

log = logging.getLogger(__name__)
MISMATCHES = Counter(
    "slipway_citation_mismatches", "Quotes dropped because the stored document does not say so", ["agent"]
)


class ExtractiveAgent:
    """See `Agent`. Answers from the indexes that its configuration names."""

    honours = frozenset(("data", "history", "settings", "metadata", TURNS))
    """Clients that keep a conversation send settings for models with every question. They change nothing."""

    def __init__(self, config: AgentConfig, *, retriever: Retriever, documents: DocumentStore) -> None:
        self._config = config
        self._name = f"{config.namespace}/{config.name}"
        self._retriever = retriever
        self._documents = documents

    async def run(self, run: Run) -> Done:
        """See `Agent`.

        Raises:
            Problem: IndexNotReady if an index cannot be searched now.
            StoreUnavailable: if the store is unavailable.
        """
        question = run.request.question
        if run.request.task:  # a title, or questions that may follow, are not in any document
            return Done(answer="", finish="abstained", sources=())
        joined = context_of(question, earlier_questions(run.request))

        made: list[Quote] = []
        """The quotes, if this attempt made them."""

        async def look_up(emit: Emit) -> Mapping[str, Any]:
            found, chosen = await self._retrieve(question, joined, emit)
            made.extend(chosen)
            return {"chunks": [_chunk(one) for one in found], "quotes": [quote.to_json() for quote in chosen]}

        retrieved = await run.step("retrieve", look_up, input=[question, joined])
        chosen = made or [Quote.from_json(quote, self._config.knowledge) for quote in retrieved["quotes"]]

        async def answer(emit: Emit) -> list[int]:
            return await self._answer(chosen, emit)

        cited = [chosen[number] for number in await run.step("answer", answer)]
        if not cited:
            return Done(answer=ABSTENTION, finish="abstained", sources=())
        sources = tuple(quote.citation for quote in cited)
        return Done(answer="".join(answer_parts(cited)), finish="stop", sources=sources)

    async def missing(self) -> list[str]:
        """See `Agent`."""
        return await self._retriever.missing(self._config.knowledge)

    async def _retrieve(self, question: str, joined: str, emit: Emit) -> tuple[Sequence[Found], list[Quote]]:
        """What the step of retrieval does. Returns the chunks that were found and the quotes chosen from them.

        Args:
            joined: the question with its context, if it is a follow-up; else empty.
        """
        found, *with_context = await search(
            self._retriever, [question, joined] if joined else [question], self._config.knowledge
        )
        candidates = quotes(found)
        for other in with_context:
            if joined_is_better(question, candidates, others := quotes(other)):
                found, candidates = other, others
        report(found, emit, searches=1 + len(with_context))
        return found, choose(candidates)

    async def _answer(self, chosen: Sequence[Quote], emit: Emit) -> list[int]:
        """The step that answers. Returns the numbers of the quotes that it cites; none means that it abstains."""
        verified = await self._verified(chosen)
        cited = [chosen[number] for number in verified]
        for part, quote in zip(answer_parts(cited), cited, strict=True):
            emit(Delta(text=part, citation=quote.citation))
        if not cited:
            emit(Delta(text=ABSTENTION))
        return verified

    async def _verified(self, chosen: Sequence[Quote]) -> list[int]:
        """The numbers of the quotes that the stored documents have word for word: no other is cited."""
        if not chosen:
            return []
        if any(quote.verified is None for quote in chosen):
            stored = await self._documents.read_passages(chosen[0].build, [quote.passage for quote in chosen])
            verified = [number for number, quote in enumerate(chosen) if quote.text == stored[number]]
        else:  # when their chunks were read, which are still there
            verified = [number for number, quote in enumerate(chosen) if quote.verified]
        if len(verified) < len(chosen):
            MISMATCHES.labels(self._name).inc(len(chosen) - len(verified))
            log.warning("%d quotes dropped: the stored document differs", len(chosen) - len(verified))
        return verified


def earlier_questions(request: AgentRequest) -> list[str]:
    """What was asked before, oldest first: in the session, or in the messages that the client keeps."""
    said = (message.text for message in request.history if message.role == "user")
    return [*(turn.question for turn in request.turns), *said]


def _chunk(found: Found) -> list[str | int | float]:
    """What a record has of a chunk: knowledge entry, build, id, offsets and score."""
    chunk = found.chunk
    return [found.knowledge.name, found.build.revision, chunk.id, chunk.start, chunk.end, round(found.score, 4)]
