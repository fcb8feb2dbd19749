"""Retrieval within a step: what was found is reported, and an index that is not ready is reported to the caller."""

import asyncio
from collections.abc import Sequence

from slipway_crds.runtimeconfig import KnowledgeConfig
from slipway_runtime.events import RetrievalUsage, Retrieved, Usage
from slipway_runtime.knowledge.retrieval.found import Found
from slipway_runtime.knowledge.retrieval.retriever import IndexNotReady, Retriever
from slipway_runtime.knowledge.vectors.filters import Filter, UnsupportedFilter
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Emit


async def retrieve(
    retriever: Retriever, question: str, knowledge: Sequence[KnowledgeConfig], emit: Emit, where: Filter | None = None
) -> list[Found]:
    """The chunks most relevant to a question, best first.

    Raises:
        Problem: IndexNotReady if an index cannot be searched now, InvalidRequest if not with this filter.
        StoreUnavailable: if the store is unavailable.
    """
    (found,) = await search(retriever, [question], knowledge, where)
    report(found, emit, searches=1)
    return found


async def search(
    retriever: Retriever, questions: Sequence[str], knowledge: Sequence[KnowledgeConfig], where: Filter | None = None
) -> list[list[Found]]:
    """What `retrieve` finds for each question, without a report.

    Raises:
        Problem, StoreUnavailable: see `retrieve`.
    """
    try:
        if len(questions) == 1:  # without a task
            return [await retriever.retrieve(questions[0], knowledge, where)]
        return await asyncio.gather(*(retriever.retrieve(question, knowledge, where) for question in questions))
    except UnsupportedFilter as error:
        raise Problem(Reason.INVALID_REQUEST, f"filters: {error}.") from error
    except IndexNotReady as error:
        raise Problem(Reason.INDEX_NOT_READY, f"{error}; try again shortly") from error


def report(found: Sequence[Found], emit: Emit, *, searches: int) -> None:
    """Report what the step goes on with, and how many searches it made."""
    best = found[0].relevance if found else 0.0
    emit(Retrieved(chunks=len(found), best_score=round(best, 4)))
    emit(Usage(retrieval=RetrievalUsage(chunks=len(found), embedded_texts=searches)))
