"""`slipway index report`: which mode and threshold find best what the cases ask for, as a table with bars."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from rich.bar import Bar
from rich.markup import escape
from rich.table import Table

from slipway_crds.agents.model import Knowledge
from slipway_crds.runtimeconfig import AgentConfig, KnowledgeConfig, SearchMode
from slipway_runtime.dev.agents import agents_in
from slipway_runtime.dev.indexes import Index, indexes_in
from slipway_runtime.dev.manifests import Manifests, load
from slipway_runtime.dev.sentence_models import local_models
from slipway_runtime.dev.source_files import LocalSourceFiles
from slipway_runtime.dev.vectors import TYPE, LocalVectors
from slipway_runtime.evals.asking import AgentUnusable
from slipway_runtime.evals.cases import CaseKind, CasesInvalid, CaseSpec, load_cases
from slipway_runtime.evals.main import EXPECTED
from slipway_runtime.evals.search_figures import (
    MODES,
    CaseSearch,
    SearchFigures,
    Suggestion,
    figures,
    figures_json,
    single_questions,
    suggest,
)
from slipway_runtime.evals.stores import cached_stores
from slipway_runtime.knowledge.embedding.embedder import EmbeddingUnavailable
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.embedding.opening import Embedders
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.retrieval.extractive import quotes
from slipway_runtime.knowledge.retrieval.reranking import Rerankers
from slipway_runtime.knowledge.retrieval.retriever import IndexNotReady, Retriever
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.store.database import Database
from slipway_runtime.terminal import Terminal

SHOWN_EVERY = 2
"""Of the thresholds, in the table."""
BAR_WIDTH = 24
TOP_K = int(Knowledge.model_fields["top_k"].default)


@dataclass(frozen=True)
class ReportRequest:
    """What a report is made of."""

    files: Sequence[Path]
    index: str
    """`name` or `namespace/name`."""
    cases: Sequence[Path] = ()
    """Files with cases; those among the manifests if there are none."""
    json_file: Path | None = None


@dataclass(frozen=True)
class Reported:
    """An index, and how it is read."""

    index: Index
    entry: KnowledgeConfig
    extractive: bool
    """Whether its agents quote: they compare sentences with `minScore`, and models are given passages."""


def main(request: ReportRequest) -> int:
    """Print the report; 0 if there is one, 2 if it cannot be made."""
    console = Terminal(soft_wrap=False, highlight=True)
    try:
        cases = usable_cases(load_cases(request.cases or request.files))
        manifests = load(request.files)
        reported = _reported(manifests, request.index)
        searches = asyncio.run(_searches(manifests, reported, request, cases))
    except (*EXPECTED, EmbeddingUnavailable, IndexNotReady) as error:
        console.print(f"[red]error[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return 2
    made = figures(searches)
    suggestion = suggest(made, current=reported.index.config.search.mode)
    title = f"{reported.index.key}: {len(cases)} cases, {reported.entry.top_k} passages"
    console.print(report_table(made, suggestion, title))
    best = suggestion.figures
    console.print(f"[green]suggested[/] search.mode {best.mode}, minScore {best.threshold:.2f}: ", end="")
    console.print(escape(suggestion.reason), soft_wrap=True)
    if request.json_file:
        request.json_file.write_bytes(orjson.dumps(figures_json(made, suggestion), option=orjson.OPT_INDENT_2))
    return 0


def usable_cases(cases: Sequence[CaseSpec]) -> list[CaseSpec]:
    """The single questions among the cases.

    Raises:
        CasesInvalid: if a threshold cannot be chosen with them.
    """
    single = single_questions(cases)
    answerable = sum(case.kind is CaseKind.ANSWERABLE for case in single)
    if not 0 < answerable < len(single):
        raise CasesInvalid(
            f"{answerable} of {len(single)} cases without `after` are answerable: a report needs answerable ones, and"
            " ones that are unanswerable or near misses"
        )
    return single


def report_table(made: Sequence[SearchFigures], suggestion: Suggestion, title: str) -> Table:
    """The figures, with a bar for the balance of each line and the suggested one marked."""
    table = Table("mode", "minScore", "hit@1", "hit@3", "hit@k", "MRR", "abstention", "balance", "", title=title)
    thresholds = sorted({each.threshold for each in made})[::SHOWN_EVERY]
    for each in made:
        chosen = each == suggestion.figures
        if each.threshold not in thresholds and not chosen:
            continue
        shares = (each.hit_at_1, each.hit_at_3, each.hit_at_k, each.mrr, each.abstention, each.balance)
        bar = Bar(1.0, 0.0, each.balance, width=BAR_WIDTH, color="green" if chosen else "blue")
        mode = f"{each.mode} *" if chosen else each.mode
        table.add_row(mode, f"{each.threshold:.2f}", *(f"{share:.2f}" for share in shares), bar)
    return table


def _reported(manifests: Manifests, name: str) -> Reported:
    found = [each for each in indexes_in(manifests) if name in (each.key.name, str(each.key))]
    if len(found) != 1:
        names = ", ".join(str(each.key) for each in indexes_in(manifests)) or "none"
        raise AgentUnusable(f"{len(found)} VectorIndexes of the manifests are called {name}; there are: {names}")
    index = found[0]
    readers = [each for each in agents_in(manifests) if _entries(each, index)]
    top_k = max((entry.top_k for agent in readers for entry in _entries(agent, index)), default=TOP_K)
    entry = KnowledgeConfig(name=index.key.name, index=index.key.name, top_k=top_k, min_score=0.0)
    return Reported(index, entry, extractive=bool(readers) and not any(each.models for each in readers))


def _entries(agent: AgentConfig, index: Index) -> list[KnowledgeConfig]:
    if agent.namespace != index.key.namespace:
        return []
    return [entry for entry in agent.knowledge if entry.index == index.key.name]


async def _searches(
    manifests: Manifests, reported: Reported, request: ReportRequest, cases: Sequence[CaseSpec]
) -> Mapping[SearchMode, list[CaseSearch]]:
    """What each mode finds. Only the first ingestion embeds: a mode is no part of a build."""
    index = reported.index
    async with _opened(manifests, request) as opened:
        found: dict[SearchMode, list[CaseSearch]] = {}
        for mode in MODES:
            search = index.config.search.model_copy(update={"mode": mode, "neighbours": 0, "restricted": False})
            config = index.config.model_copy(update={"search": search})
            ingestion = Ingestion(
                config,
                database=opened.database,
                vectors=opened.vectors,
                embedder=opened.embedders(str(index.key), config.embedding),
                patience=10,
            )
            with index.open(opened.sources.of(index.key)) as sources:
                await ingestion.run(sources)
            retriever = opened.retriever(index.key.namespace)
            found[mode] = [await _search(retriever, reported, case) for case in cases]
        return found


async def _search(retriever: Retriever, reported: Reported, case: CaseSpec) -> CaseSearch:
    retrieved = await retriever.retrieve(case.question, [reported.entry])
    found = tuple((each.chunk.document, each.relevance) for each in retrieved)
    if not reported.extractive:
        return CaseSearch(case, found, max((score for _, score in found), default=0.0))
    best = next((quote.score for quote in quotes(retrieved)), 0.0)
    return CaseSearch(case, tuple((document, max(score, best)) for document, score in found), best)


@dataclass(frozen=True)
class _Opened:
    database: Database
    vectors: VectorStore
    embedder: MiniLM
    embedders: Embedders
    rerankers: Rerankers
    sources: LocalSourceFiles

    def retriever(self, namespace: str) -> Retriever:
        return Retriever(
            namespace,
            database=self.database,
            embedder=self.embedder,
            vectors=lambda *_: self.vectors,
            embedders=self.embedders,
            rerankers=self.rerankers,
        )


@asynccontextmanager
async def _opened(manifests: Manifests, request: ReportRequest) -> AsyncIterator[_Opened]:
    """Stores in the user's cache folder, and the way to the services of the indexes."""
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(cached_stores("index-reports", request.files))
        place = Path(stack.enter_context(TemporaryDirectory(prefix="slipway-report-")))
        sources = LocalSourceFiles(place / "sources", os.environ)
        sources.apply(manifests)
        environment = {name: value for name, value in os.environ.items() if name != TYPE}  # of another command
        connections = LocalVectors(stores.vectors, place / "connections", environment, store=None)
        connections.apply(manifests)
        embedders = Embedders(stores.embedder, connections=connections.folder_of, models=local_models(os.environ))
        stack.push_async_callback(embedders.close)
        rerankers = Rerankers(connections=connections.folder_of)
        stack.push_async_callback(rerankers.close)
        yield _Opened(stores.database, stores.vectors, stores.embedder, embedders, rerankers, sources)
