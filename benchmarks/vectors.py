"""Searches in vector stores compared with the bare client of the same one, and ingestion with the bare embedding model.

Both clients search the same table or collection of the same server, in turns. Vectors are mixtures of two embeddings of
this project's lines. (Points at random around 2,000 centres are no stand-in for texts: in all 384 dimensions, those
beyond the own centre are nearly at one distance. Of 6,000 such points the indexes of both servers missed more than a
tenth of the ten nearest.) `VECTORS` in the environment says how many (10,000).
"""

import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from benchmarks import machine
from benchmarks.figures import BenchmarkReport, Figure, median_ratio, percentile
from benchmarks.reports import ROOT
from slipway_crds.runtimeconfig import IngestConfig, SourceConfig
from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.ingestion.sources import ItemsSource
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.knowledge.vectors.filters import Attributes, Compare, Filter
from slipway_runtime.knowledge.vectors.pgvector import CREATE_EXTENSION, Pgvector
from slipway_runtime.settings import default_model_dir
from slipway_runtime.store.lazy_postgres import LazyPostgres
from slipway_runtime.store.opening import open_database
from tests.support import servers
from tests.support.postgres import RestartablePostgres

COLLECTION, NEAREST = "demo.bench.r1", 10
MEANINGFUL = 40
"""Characters of a line that says something."""
LONGER_BY_MS, LONGER_BY_SHARE = 0.3, 0.3
"""A query may take this much longer than the bare client's, whichever is more."""
MISSED = 0.05
INGESTION_BAR = 1 / 0.9
PASSED_ON = 2000
"""Vectors in one call of `upsert`."""
TENTH, RARE = Compare("tenth", "eq", 3), Compare("rare", "eq", 3)
"""Filters that leave a tenth, and one in two hundred."""
Search = Callable[[Vector], Awaitable[Sequence[str]]]


@dataclass(frozen=True)
class VectorsSize:
    """How much is measured."""

    texts: int
    vectors: int
    queries: int
    rounds: int
    documents: int


@dataclass(frozen=True)
class Data:
    """Vectors that are searched, and those that are searched for."""

    written: Matrix
    queries: Matrix


@dataclass
class Timed:
    """Milliseconds of searches by two clients, taken in turns, and how much of what should be found was not."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    missed: list[float] = field(default_factory=list)

    def figures(self, name: str) -> list[Figure]:
        """With the bars."""
        made = []
        for percent in (50, 95):
            own, other = percentile(self.ours, percent), percentile(self.bare, percent)
            allowed = max(LONGER_BY_MS, LONGER_BY_SHARE * other)
            made += [
                Figure(f"{name}: p{percent}", own, "ms", round(other + allowed, 3)),
                Figure(f"{name}: p{percent}, bare client", other, "ms"),
            ]
        missed = statistics.fmean(self.missed)
        return [*made, Figure(f"{name}: not found of the {NEAREST} nearest", missed, "", MISSED)]


async def embedded(count: int) -> Matrix:
    """Embeddings of so many different lines of this project's pages, or of as many as there are."""
    lines = {line.strip() for page in sorted((ROOT / "docs").glob("*.md")) for line in page.read_text().splitlines()}
    texts = sorted(line for line in lines if len(line) > MEANINGFUL)
    embedder = MiniLM(default_model_dir(), workers=os.cpu_count() or 1)
    try:
        return await embedder.embed_texts(texts[:: max(1, len(texts) // count)])
    finally:
        await embedder.close()


def mixtures(real: Matrix, count: int, *, seed: int) -> Matrix:
    """So many mixtures of two embeddings each, with length 1."""
    rng = np.random.default_rng(seed)
    first, second = (real[rng.integers(0, len(real), count)] for _ in range(2))
    share = rng.uniform(0, 1, (count, 1)).astype(np.float32)
    made = share * first + (1 - share) * second
    normalised: Matrix = made / np.linalg.norm(made, axis=1, keepdims=True)
    return normalised


def described(count: int) -> list[Attributes]:
    """Attributes for the filters."""
    return [{"tenth": number % 10, "rare": number % 200} for number in range(count)]


def nearest(written: Matrix, query: Vector, step: int) -> set[str]:
    """Ids of the nearest among every `step`-th from 3 on; all if it is 1."""
    among = np.arange(3 % step, len(written), step)
    return {str(number) for number in among[np.argsort(-(written[among] @ query))[:NEAREST]]}


async def filled(store: VectorStore, written: Matrix) -> float:
    """Write all vectors; returns seconds."""
    attributes, began = described(len(written)), time.perf_counter()
    for start in range(0, len(written), PASSED_ON):
        part = slice(start, start + PASSED_ON)
        ids = [str(number) for number in range(start, min(start + PASSED_ON, len(written)))]
        await store.upsert(COLLECTION, ids, written[part], attributes[part])
    return time.perf_counter() - began


def our_search(store: VectorStore, where: Filter | None) -> Search:
    """By the vector store."""

    async def search(vector: Vector) -> Sequence[str]:
        return [match.id for match in await store.search(COLLECTION, vector, NEAREST, where)]

    return search


async def timed(ours: Search, bare: Search, data: Data, size: VectorsSize, step: int) -> Timed:
    """Search in turns; the first round is not counted."""
    made = Timed()
    for round_ in range(size.rounds + 1):
        for query in data.queries:
            for search, spent in ((ours, made.ours), (bare, made.bare)):
                began = time.perf_counter()
                found = await search(query)
                if round_:
                    spent.append((time.perf_counter() - began) * 1000)
                elif search is ours:
                    right = nearest(data.written, query, step)
                    made.missed.append(1 - len(right & set(found)) / len(right))
    return made


@dataclass(frozen=True)
class BackEnd:
    """A filled one, with a bare client."""

    name: str
    store: VectorStore
    bare: Callable[[Filter | None], Search]


@asynccontextmanager
async def pgvector(written: Matrix) -> AsyncIterator[tuple[BackEnd, list[Figure]]]:
    """Postgres, with asyncpg as its bare client: the settings and the index are the same."""
    with RestartablePostgres() as server:
        bare = await asyncpg.connect(
            server.dsn, server_settings={"hnsw.ef_search": "64", "hnsw.iterative_scan": "strict_order", "jit": "off"}
        )
        await bare.execute(CREATE_EXTENSION)
        await bare.execute("SET search_path = public, extensions")
        store = Pgvector(LazyPostgres(server.dsn, connections=2), owned=True)
        seconds = await filled(store, written)
        size = await bare.fetchval(f"SELECT pg_total_relation_size('\"v.{COLLECTION}\"')")

        def searching(where: Filter | None) -> Search:
            narrowed = f"""WHERE attributes @> '{{"{where.field}": 3}}'""" if isinstance(where, Compare) else ""
            sql = f'SELECT id FROM "v.{COLLECTION}" {narrowed} ORDER BY embedding <=> $1::text::vector LIMIT {NEAREST}'

            async def search(vector: Vector) -> Sequence[str]:
                text = "[" + ",".join(map(str, vector.tolist())) + "]"
                return [row["id"] for row in await bare.fetch(sql, text)]

            return search

        yield (
            BackEnd("pgvector", store, searching),
            [
                Figure("pgvector: vectors written in a second, indexes included", len(written) / seconds, ""),
                Figure("pgvector: table and indexes of a million vectors", size / len(written) * 1e6 / 2**30, "GiB"),
            ],
        )
        await store.close()
        await bare.close()


@asynccontextmanager
async def chroma(written: Matrix) -> AsyncIterator[tuple[BackEnd, list[Figure]]]:
    """A Chroma server, with the official client for asyncio as its bare client."""
    import chromadb

    with tempfile.TemporaryDirectory() as folder:
        server = servers.ChromaServer(Path(folder))
        server.start()
        try:
            store = ChromaServer(server.url)
            seconds = await filled(store, written)
            client = await chromadb.AsyncHttpClient(
                host="127.0.0.1", port=server.port, settings=chromadb.Settings(anonymized_telemetry=False)
            )
            opened: Any = await client.get_collection(COLLECTION, embedding_function=None)

            def searching(where: Filter | None) -> Search:
                narrowed: Mapping[str, Any] | None = {f"a.{where.field}": 3} if isinstance(where, Compare) else None

                async def search(vector: Vector) -> Sequence[str]:
                    answer = await opened.query(
                        query_embeddings=[vector], n_results=NEAREST, include=[], where=narrowed
                    )
                    ids: list[str] = answer["ids"][0]
                    return ids

                return search

            written_figure = Figure("Chroma: vectors written in a second", len(written) / seconds, "")
            yield BackEnd("Chroma", store, searching), [written_figure]
            await store.close()
        finally:
            server.stop()


class RecordingEmbedder(MiniLM):
    """Keeps the texts of each call."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, workers=os.cpu_count() or 1)
        self.calls: list[list[str]] = []

    async def embed_texts(self, texts: Sequence[str], **options: Any) -> Matrix:
        """See `MiniLM`."""
        self.calls.append(list(texts))
        return await super().embed_texts(texts, **options)


async def ingestion(size: VectorsSize) -> list[Figure]:
    """An ingestion of this project's pages into pgvector, and the same texts by the model alone, in turns."""
    pages = sorted((ROOT / "docs").glob("*.md"))[: size.documents]
    source = ItemsSource("docs", {page.name: page.read_bytes() for page in pages})
    ours, bare, count = [], [], 0
    async with AsyncExitStack() as stack:
        embedder = RecordingEmbedder(default_model_dir())
        stack.push_async_callback(embedder.close)
        await embedder.embed_query("warm")
        server = stack.enter_context(RestartablePostgres())
        database = await open_database(server.dsn)
        stack.push_async_callback(database.close)
        await database.execute("CREATE SCHEMA extensions")
        await database.execute("CREATE EXTENSION vector SCHEMA extensions")
        for round_ in range(size.rounds):
            embedder.calls.clear()
            index, sources = f"bench{round_}", (SourceConfig(name="docs"),)
            config = IngestConfig(namespace="demo", index=index, max_tokens=200, overlap=20, sources=sources)
            work = Ingestion(config, database=database, vectors=Pgvector(database), embedder=embedder)
            began = time.perf_counter()
            await work.run([source])
            ours.append(time.perf_counter() - began)
            calls, began = list(embedder.calls), time.perf_counter()
            for texts in calls:
                await MiniLM.embed_texts(embedder, texts)
            bare.append(time.perf_counter() - began)
            count = sum(map(len, calls))
    what = f"{count} vectors of chunks and sentences, into Postgres with pgvector"
    ratio = median_ratio(ours, bare)
    return [
        Figure("ingestion: time / bare embedding model", ratio, "", round(INGESTION_BAR, 3), note=what),
        Figure("ingestion: vectors in a second", count / statistics.median(ours), ""),
    ]


async def measure(*, reduced: bool, wait: float) -> BenchmarkReport:
    """Run the benchmark. `wait`: seconds that may be waited for a quiet machine."""
    count = int(os.environ.get("VECTORS") or 10_000)
    size = VectorsSize(2000, count, 200, 3, 8)
    if reduced:
        size = VectorsSize(300, min(count, 6000), 20, 1, 2)
    real = await embedded(size.texts)
    data = Data(mixtures(real, size.vectors, seed=1), mixtures(real, size.queries, seed=9))
    load = await machine.quiet(wait)
    figures: list[Figure] = []
    for opening in (pgvector, chroma):
        async with opening(data.written) as (back_end, more):
            for name, where, step in (("", None, 1), (", a tenth", TENTH, 10), (", one in 200", RARE, 200)):
                spent = await timed(our_search(back_end.store, where), back_end.bare(where), data, size, step)
                figures += spent.figures(f"{back_end.name}{name}")
            figures += more
    figures += await ingestion(size)
    notes = [f"{size.vectors} vectors: mixtures of two of {len(real)} embeddings of lines of this project's pages."]
    packages = ("asyncpg", "chromadb", "onnxruntime", "numpy")
    return machine.report("vectors", figures, load_before=load, reduced=reduced, packages=packages, notes=notes)
