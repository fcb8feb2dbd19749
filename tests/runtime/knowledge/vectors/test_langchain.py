"""LangChain's own tests of vector stores, over ours: another's idea of what one does.

Ours keeps no texts and has no blocking interface, so a small adapter keeps the first and adds the second.
"""

import asyncio
import secrets
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore as LangChainStore
from langchain_tests.integration_tests.vectorstores import VectorStoreIntegrationTests

from slipway_runtime.knowledge.vectors.contract import CollectionMissing, VectorStore
from tests.runtime.knowledge.vectors.back_ends import BACK_ENDS

COLLECTION = "demo.langchain.r1"
T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Adapter(LangChainStore):
    """Our vector store with LangChain's methods."""

    def __init__(self, store: VectorStore, loop: Loop, embedding: Embeddings) -> None:
        self._store, self._loop, self._embedding = store, loop, embedding
        self._documents: dict[str, Document] = {}

    def add_texts(
        self, texts: Any, metadatas: list[dict[Any, Any]] | None = None, *, ids: list[str] | None = None, **_: Any
    ) -> list[str]:
        texts = list(texts)
        ids = [id_ or secrets.token_hex(8) for id_ in ids or [""] * len(texts)]
        metadatas = metadatas or [{} for _ in texts]
        vectors = np.array(self._embedding.embed_documents(texts), dtype=np.float32)
        self._loop.run(self._store.upsert(COLLECTION, ids, vectors, metadatas))
        for id_, text, metadata in zip(ids, texts, metadatas, strict=True):
            self._documents[id_] = Document(id=id_, page_content=text, metadata=metadata)
        return ids

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        vector = np.array(self._embedding.embed_query(query), dtype=np.float32)
        try:
            found = self._loop.run(self._store.search(COLLECTION, vector, k))
        except CollectionMissing:
            return []
        return [self._documents[match.id] for match in found]

    def delete(self, ids: list[str] | None = None, **_: Any) -> bool:
        self._loop.run(self._store.delete(COLLECTION, ids or []))
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        present = self._loop.run(self._store.present(COLLECTION, list(ids)))
        return [self._documents[id_] for id_ in ids if id_ in present]

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> "Adapter":
        raise NotImplementedError


class _OnBackEnd(VectorStoreIntegrationTests):
    back_end: str

    @pytest.fixture
    def vectorstore(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LangChainStore]:
        loop = Loop()
        opening: AbstractAsyncContextManager[VectorStore] = BACK_ENDS[self.back_end](request, tmp_path)
        store = loop.run(opening.__aenter__())
        yield Adapter(store, loop, self.get_embeddings())
        loop.run(store.drop(COLLECTION))
        loop.run(opening.__aexit__(None, None, None))
        loop.close()


class TestPgvector(_OnBackEnd):
    back_end = "pgvector"


class TestChroma(_OnBackEnd):
    back_end = "chroma-server"
