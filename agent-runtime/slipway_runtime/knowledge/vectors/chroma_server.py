"""A Chroma server as a vector store: the back end of a cluster.

It speaks the server's version 2 API itself. The official client takes 1.2 s of CPU to import, more than half of what a
host may take to start, and three times the CPU for a query; what is needed of it is seven requests.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import numpy as np
import orjson

from slipway_crds.contract import CHROMA_COLLECTIONS
from slipway_crds.indexes.connections import ChromaConnection
from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.vectors.chroma_errors import failure
from slipway_runtime.knowledge.vectors.chroma_filters import OPERATORS, chroma_where, described
from slipway_runtime.knowledge.vectors.contract import Capabilities, CollectionMissing, Match, VectorsUnavailable
from slipway_runtime.knowledge.vectors.external import CollectionTaken
from slipway_runtime.knowledge.vectors.filters import Attributes, Filter

BATCH = 100
"""Vectors in one request: half a megabyte of JSON. Chroma advises 50 to 250."""
PAGE = 2000
OWNER = "slipway.owner"
"""In a collection's metadata, whose it is."""
ANSWER_BYTES = 16 * 1024 * 1024
"""The longest answer that is read: a page of ids is a fiftieth of that."""
READ_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
WRITE_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=3)

Json = dict[str, Any]


class ChromaServer:
    """See `VectorStore`. The connection is made at the first request, so it may be constructed outside a loop.

    Args:
        url: the server's, such as `http://handbook-index:8000`.
        headers: that go with each request.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._base = url.rstrip("/") + CHROMA_COLLECTIONS
        self._http: aiohttp.ClientSession | None = None
        self._collections: dict[str, str] = {}

    @property
    def capabilities(self) -> Capabilities:
        """See `VectorStore`."""
        return Capabilities(filters=OPERATORS)

    async def claim(self, collection: str, owner: str) -> None:
        """See `Ownable`. The mark is in the collection's metadata."""
        found = await self._create(collection, {OWNER: owner})
        metadata = found.get("metadata") or {}
        if metadata.get(OWNER, owner) != owner:
            raise CollectionTaken(collection, owner=str(metadata[OWNER]), asker=owner)
        if OWNER not in metadata:
            marked = {"new_metadata": {**metadata, OWNER: owner}}
            await self._request("PUT", f"/{found['id']}", marked, timeout=WRITE_TIMEOUT)

    async def upsert(
        self, collection: str, ids: Sequence[str], vectors: Matrix, attributes: Sequence[Attributes] | None = None
    ) -> None:
        """See `VectorStore`."""
        await self._create(collection)
        for start in range(0, len(ids), BATCH):
            part = slice(start, start + BATCH)
            batch: Json = {"ids": list(ids[part]), "embeddings": np.ascontiguousarray(vectors[part])}
            if attributes is not None:
                batch["metadatas"] = await self._described(collection, ids[part], attributes[part])
            await self._in(collection, "upsert", batch, timeout=WRITE_TIMEOUT)

    async def _described(
        self, collection: str, ids: Sequence[str], attributes: Sequence[Attributes]
    ) -> list[Json | None]:
        page = {"ids": list(ids), "include": ["metadatas"]}
        answer = await self._in(collection, "get", page, timeout=WRITE_TIMEOUT)
        return described(ids, attributes, dict(zip(answer["ids"], answer["metadatas"], strict=True)))

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """See `VectorStore`."""
        for start in range(0, len(ids), BATCH):
            try:
                batch = {"ids": list(ids[start : start + BATCH])}
                await self._in(collection, "delete", batch, timeout=WRITE_TIMEOUT)
            except CollectionMissing:
                return

    async def count(self, collection: str) -> int:
        """See `VectorStore`."""
        try:
            found = await self._in(collection, "count", None, timeout=READ_TIMEOUT)
        except CollectionMissing:
            return 0
        return int(found)

    async def present(self, collection: str, ids: Sequence[str]) -> set[str]:
        """See `VectorStore`."""
        found: set[str] = set()
        for start in range(0, len(ids), PAGE):
            page = {"ids": list(ids[start : start + PAGE]), "include": []}
            try:
                found.update((await self._in(collection, "get", page, timeout=WRITE_TIMEOUT))["ids"])
            except CollectionMissing:
                return set()
        return found

    async def search(self, collection: str, vector: Vector, count: int, where: Filter | None = None) -> list[Match]:
        """See `VectorStore`."""
        narrowed = True if where is None else chroma_where(where)
        query: Json = {"query_embeddings": [np.ascontiguousarray(vector)], "n_results": count, "include": ["distances"]}
        if narrowed is False:
            await self._in(collection, "count", None, timeout=READ_TIMEOUT)  # is it there?
            return []
        if narrowed is not True:
            query["where"] = narrowed
        answer = await self._in(collection, "query", query, timeout=READ_TIMEOUT)
        pairs = zip(answer["ids"][0], answer["distances"][0], strict=True)
        return [Match(id=id_, score=1.0 - distance) for id_, distance in pairs]

    async def exists(self, collection: str) -> bool:
        """See `VectorStore`."""
        try:
            await self._request("GET", f"/{collection}", None, timeout=READ_TIMEOUT)
        except CollectionMissing:
            return False
        return True

    async def drop(self, collection: str) -> None:
        """See `VectorStore`."""
        self._collections.pop(collection, None)
        try:
            await self._request("DELETE", f"/{collection}", None, timeout=WRITE_TIMEOUT)
        except CollectionMissing:
            return

    async def close(self) -> None:
        """See `VectorStore`."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _create(self, collection: str, metadata: Json | None = None) -> Json:
        """Make it if it is not there; returns what it is."""
        body: Json = {"name": collection, "get_or_create": True, "configuration": {"hnsw": {"space": "cosine"}}}
        answer: Json = await self._request("POST", "", body | {"metadata": metadata}, timeout=WRITE_TIMEOUT)
        self._collections[collection] = answer["id"]
        return answer

    async def _in(self, collection: str, verb: str, body: Json | None, *, timeout: aiohttp.ClientTimeout) -> Any:
        """A request to a collection, whose id is looked up once and again if it was made anew meanwhile.

        It is a POST with the body, or a GET if there is none.
        """
        method = "GET" if body is None else "POST"
        known = self._collections.get(collection)
        if known is not None:
            try:
                return await self._request(method, f"/{known}/{verb}", body, timeout=timeout)
            except CollectionMissing:
                del self._collections[collection]
        found = await self._request("GET", f"/{collection}", None, timeout=timeout)
        self._collections[collection] = found["id"]
        return await self._request(method, f"/{found['id']}/{verb}", body, timeout=timeout)

    async def _request(self, method: str, path: str, body: Json | None, *, timeout: aiohttp.ClientTimeout) -> Any:
        if self._http is None:
            self._http = aiohttp.ClientSession(headers=self._headers, auto_decompress=False)
        data = None if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        try:
            async with self._http.request(
                method, self._base + path, data=data, timeout=timeout, allow_redirects=False
            ) as response:
                content = await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise VectorsUnavailable(f"Chroma cannot be reached: {type(error).__name__}: {error}") from error
        if response.status == 404:
            raise CollectionMissing(path)
        if response.status >= 400:
            raise failure(f"Chroma answered {response.status}: {reason(content)}")
        try:
            return orjson.loads(content) if content else None
        except orjson.JSONDecodeError as error:
            raise VectorsUnavailable("what answers for Chroma sends no JSON") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises VectorsUnavailable for a longer one than Chroma sends, or a redirect."""
    if 300 <= response.status < 400:
        raise VectorsUnavailable("what answers for Chroma redirects, which is not followed")
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > ANSWER_BYTES:
            raise VectorsUnavailable(f"what answers for Chroma sends more than {ANSWER_BYTES} bytes")
    return bytes(content)


def reason(content: bytes) -> str:
    """What an error's body says, shortened."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    text = document.get("message") if isinstance(document, Mapping) else content.decode(errors="replace")
    return str(text)[:300]


def connected(connection: ChromaConnection) -> ChromaServer:
    """The vector store of a server that is somebody else's."""
    headers = {} if connection.token is None else {connection.header: connection.token}
    return ChromaServer(connection.url, headers)
