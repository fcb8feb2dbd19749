"""Real stores for documents and vectors, of both kinds: in process, and as servers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from slipway_crds.runtimeconfig import IngestConfig, KnowledgeConfig, SourceConfig
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.ingestion.sources import ItemsSource
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.knowledge.vectors.chroma_embedded import open_embedded_chroma
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.store.database import Database
from slipway_runtime.store.opening import open_database


@dataclass(frozen=True)
class Knowledge:
    """What an ingestion writes to and a retrieval reads from. `namespace` is the test's own."""

    database: Database
    vectors: VectorStore
    embedder: MiniLM
    namespace: str

    def config(self, *, index: str = "handbook", max_tokens: int = 100, overlap: int = 10) -> IngestConfig:
        """What an ingestion of an index with one source, `docs`, does."""
        return IngestConfig(
            namespace=self.namespace,
            index=index,
            max_tokens=max_tokens,
            overlap=overlap,
            sources=(SourceConfig(name="docs"),),
        )

    def ingestion(self, config: IngestConfig | None = None, *, patience: float = 5.0, **more: Any) -> Ingestion:
        """An ingestion, not yet begun. What else is given goes to `Ingestion`."""
        return Ingestion(
            config or self.config(),
            database=self.database,
            vectors=self.vectors,
            embedder=self.embedder,
            patience=patience,
            **more,
        )

    def retriever(self) -> Retriever:
        """Searches the namespace's indexes."""
        return Retriever(
            self.namespace, database=self.database, embedder=self.embedder, vectors=lambda *_: self.vectors
        )


def contents(**documents: str | bytes) -> list[ItemsSource]:
    """Documents of the source `docs`; `a_md="..."` is the document `a.md`."""
    items = {
        name.replace("_", "."): content.encode() if isinstance(content, str) else content
        for name, content in documents.items()
    }
    return [ItemsSource("docs", items)]


def entry(
    *, index: str = "handbook", name: str = "handbook", top_k: int = 3, min_score: float = 0.3
) -> KnowledgeConfig:
    """An agent's knowledge of one index."""
    return KnowledgeConfig(name=name, index=index, top_k=top_k, min_score=min_score)


@pytest.fixture
async def local(tmp_path: Path, sqlite_dsn: str, embedder: MiniLM) -> AsyncIterator[Knowledge]:
    """SQLite and an embedded Chroma, as the local driver has them."""
    database = await open_database(sqlite_dsn)
    vectors = await open_embedded_chroma(tmp_path / "chroma")
    yield Knowledge(database, vectors, embedder, "demo")
    await vectors.close()
    await database.close()


@pytest.fixture
async def served(store_dsn: str, chroma_url: str, embedder: MiniLM) -> AsyncIterator[Knowledge]:
    """Postgres and a Chroma server, as a cluster has them."""
    database = await open_database(store_dsn)
    vectors = ChromaServer(chroma_url)
    yield Knowledge(database, vectors, embedder, urlsplit(store_dsn).path[1:].replace("_", "-"))
    await vectors.close()
    await database.close()


@pytest.fixture(params=["local", "served"])
def knowledge(request: pytest.FixtureRequest) -> Knowledge:
    """Both in turn."""
    made: Knowledge = request.getfixturevalue(request.param)
    return made
