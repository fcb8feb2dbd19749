"""Stores for what is measured on this machine, in the user's cache folder: nothing is written to an index's own."""

import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway_runtime.dev.parts import locked
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.vectors.chroma_embedded import open_embedded_chroma
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.settings import cache_dir, default_model_dir
from slipway_runtime.store.database import Database
from slipway_runtime.store.migrations import schema
from slipway_runtime.store.opening import open_database


@dataclass(frozen=True)
class CachedStores:
    """What an index is built in and searched with."""

    database: Database
    vectors: VectorStore
    embedder: MiniLM


@asynccontextmanager
async def cached_stores(purpose: str, files: Sequence[Path]) -> AsyncIterator[CachedStores]:
    """The stores of these manifests, kept from run to run: one folder for each set of paths and tables.

    Raises:
        ModelMissing, StoreUnavailable, VectorsUnavailable: if one cannot be opened.
    """
    made_of = [*sorted(str(path.resolve()) for path in files), schema()]
    digest = hashlib.sha256("\0".join(made_of).encode()).hexdigest()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(locked(cache_dir() / purpose / digest[:16]))
        embedder = MiniLM(Path(os.environ.get("SLIPWAY_MODEL_DIR") or default_model_dir()))
        stack.push_async_callback(embedder.close)
        database = await open_database(f"sqlite:///{folder}/store.db")
        stack.push_async_callback(database.close)
        vectors = await open_embedded_chroma(folder / "chroma")
        stack.push_async_callback(vectors.close)
        yield CachedStores(database, vectors, embedder)
