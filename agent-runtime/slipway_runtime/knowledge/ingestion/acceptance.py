"""Whether a build may take the place of the one that agents read: measured by the ingestion that made it.

It has every document that agents find now and that the sources still have, and a vector for each chunk. Searches of its
back end find the nearest vectors (`recall.py`), and documents for the user's own questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from slipway_crds.runtimeconfig import AcceptanceConfig, AcceptanceReport, KnowledgeConfig
from slipway_runtime.knowledge.embedding.embedder import Embedder
from slipway_runtime.knowledge.ingestion.acceptance_cases import AcceptanceCase
from slipway_runtime.knowledge.ingestion.planning import DocumentKey
from slipway_runtime.knowledge.ingestion.recall import NEAREST, BuildVectors, recall
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.knowledge.vectors.contract import CollectionMissing
from slipway_runtime.store.documents import Build, document_states
from slipway_runtime.store.pointers import IndexPointer

NAMED = 3
"""Documents and questions that a refusal names."""
SHORT = 80


@dataclass(frozen=True)
class AcceptanceVerdict:
    """What was measured, and why agents must not read the build; no reason if they may."""

    report: AcceptanceReport | None = None
    """None: nothing was."""
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Acceptance:
    """What builds of an index have to reach.

    Args:
        cases: those that `config` names.
    """

    config: AcceptanceConfig = field(default_factory=AcceptanceConfig)
    cases: Sequence[AcceptanceCase] = ()

    async def verdict(
        self,
        candidate: IndexPointer,
        vectors: BuildVectors,
        embedder: Embedder,
        *,
        before: IndexPointer | None,
        listed: set[DocumentKey],
    ) -> AcceptanceVerdict:
        """Measure a build.

        Args:
            candidate: the pointer to it that would be written.
            before: the pointer that is in force.
            listed: what the sources have.

        Raises:
            StoreUnavailable, VectorsUnavailable: if one of them is.
        """
        missing = await _missing(vectors, before, listed)
        short = candidate.chunks - await vectors.store.count(vectors.collection)
        refused = [*_no_longer(missing), *([_too_few(candidate.chunks, short)] if short > 0 else [])]
        if refused:
            return AcceptanceVerdict(AcceptanceReport(), tuple(refused))
        found = None
        if self.config.min_recall > 0:
            found = await _recall(vectors)
            if found is not None and found < self.config.min_recall:
                refused.append(
                    f"recall@{NEAREST} is {found:.3f}, and acceptance.minRecall asks for"
                    f" {self.config.min_recall}: choose another back end, or lower minRecall"
                )
        missed = await self._missed(candidate, vectors, embedder)
        rate = 1 - len(missed) / len(self.cases) if self.cases else None
        if rate is not None and rate < self.config.min_hit_rate:
            refused.append(
                f"{len(self.cases) - len(missed)} of {len(self.cases)} questions find a document of theirs, a hit rate"
                f" of {rate:.3f}, and acceptance.minHitRate asks for {self.config.min_hit_rate}: not"
                f" {_named([f'{each.question[:SHORT]!r}' for each in missed])}. Go back to the settings before, correct"
                " the cases, or lower minHitRate"
            )
        return AcceptanceVerdict(AcceptanceReport(recall=found, hit_rate=rate), tuple(refused))

    async def _missed(self, candidate: IndexPointer, vectors: BuildVectors, embedder: Embedder) -> list[AcceptanceCase]:
        """The cases none of whose documents is among the first ten passages that a search of the index finds."""
        namespace, _, name = candidate.index.partition("/")
        retriever = Retriever(namespace, database=vectors.database, embedder=embedder, vectors=lambda *_: vectors.store)
        entry = KnowledgeConfig(name=name, index=name, top_k=NEAREST, min_score=0.0)
        # Whoever may read a document, it has to be found; a reranker is a matter of hosts.
        search = candidate.search.model_copy(update={"restricted": False, "reranker": None, "neighbours": 0})
        pointer = replace(candidate, search=search)
        missed = []
        for case in self.cases:
            found = {each.chunk.document for each in await retriever.search_build(case.question, entry, pointer)}
            if found.isdisjoint(case.documents):
                missed.append(case)
        return missed


async def _recall(vectors: BuildVectors) -> float | None:
    try:
        return await recall(vectors)
    except CollectionMissing:
        return 0.0


async def _missing(vectors: BuildVectors, before: IndexPointer | None, listed: set[DocumentKey]) -> list[DocumentKey]:
    """What agents find now, the sources have, and the build lacks."""
    if before is None:
        return []
    served = await document_states(vectors.database, Build(before.index, before.revision))
    made = await document_states(vectors.database, vectors.build)
    return sorted({key for key, state in served.items() if state.chunks} & listed - set(made))


def _no_longer(missing: Sequence[DocumentKey]) -> list[str]:
    if not missing:
        return []
    named = _named(["/".join(key)[-SHORT:] for key in missing])
    return [
        f"{len(missing)} documents that agents find now could not be read this time: {named}. Correct or remove them"
    ]


def _too_few(chunks: int, short: int) -> str:
    return f"the back end has {chunks - short} of {chunks} vectors: start another ingestion, which writes the others"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
