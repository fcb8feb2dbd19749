"""Texts of documents in a collection of MongoDB. Contract-tested, not verified live.

A text is cut into parts, since MongoDB takes 16 MB at once, and so that a quote is read without the rest of its text.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from slipway_crds.indexes.connections import MongoConnection
from slipway_runtime.knowledge.vectors.contract import VectorsRefused, VectorsUnavailable
from slipway_runtime.knowledge.vectors.mongodb import make_client, mongo_errors
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.documents import Build
from slipway_runtime.store.texts import TextKey, TextSpan, TextsRefused

COLLECTION = "documents"
"""With the connection's prefix before it."""
PART = 65_536
"""Characters."""
BATCH = 100
"""Parts or spans in one request."""
TIMEOUT = 10.0
"""Seconds that one call may take, connecting included."""


class MongoTexts:
    """See `TextStore`. The driver is imported and connects at the first call.

    Args:
        installation: whose texts these are; others may have theirs in the same collection.
        timeout: seconds that one call may take, connecting included.
    """

    def __init__(self, connection: MongoConnection, *, installation: str, timeout: float = TIMEOUT) -> None:
        self._connection = connection
        self._installation = installation
        self._timeout = timeout
        self._client: Any = None
        self._ready: Any = None

    async def put_text(self, build: Build, key: TextKey, text: str) -> None:
        """See `TextStore`. A text counts once all its parts are there."""
        from pymongo import ReplaceOne

        of, parts = self._of(build, key), max(1, -(-len(text) // PART))
        place = self._place(build) | {"source": key.source, "name": key.name, "hash": key.hash}
        for first in range(0, parts, BATCH):
            writes = [
                ReplaceOne(
                    {"_id": f"{of}.{number}"},
                    {
                        **place,
                        "of": of,
                        "part": number,
                        "parts": parts,
                        "text": text[number * PART : (number + 1) * PART],
                    },
                    upsert=True,
                )
                for number in range(first, min(first + BATCH, parts))
            ]
            async with self._collection() as collection:
                await collection.bulk_write(writes, ordered=False)

    async def get_text(self, build: Build, key: TextKey) -> str | None:
        """See `TextStore`."""
        async with self._collection() as collection:
            rows = [row async for row in collection.find({"of": self._of(build, key)}, sort=[("part", 1)])]
        if not rows or len(rows) < rows[0]["parts"]:
            return None
        return "".join(row["text"] for row in rows)

    async def spans(self, build: Build, spans: Sequence[TextSpan]) -> list[str | None]:
        """See `TextStore`. Only the parts that a span is in are read."""
        found: list[str | None] = []
        for start in range(0, len(spans), BATCH):
            some = spans[start : start + BATCH]
            ids = {id_ for span in some for id_ in self._parts_of(build, span)}
            async with self._collection() as collection:
                parts = {row["_id"]: row["text"] async for row in collection.find({"_id": {"$in": sorted(ids)}})}
            found += [self._cut(build, span, parts) for span in some]
        return found

    async def text_keys(self, build: Build) -> set[TextKey]:
        """See `TextStore`."""
        fields = {"source": 1, "name": 1, "hash": 1}
        async with self._collection() as collection:
            cursor = collection.find(self._place(build), fields)
            return {TextKey(row["source"], row["name"], row["hash"]) async for row in cursor}

    async def delete_texts(self, build: Build, keys: Sequence[TextKey]) -> None:
        """See `TextStore`."""
        for start in range(0, len(keys), BATCH):
            wanted = [self._of(build, key) for key in keys[start : start + BATCH]]
            async with self._collection() as collection:
                await collection.delete_many({"of": {"$in": wanted}})

    async def drop_texts(self, index: str, revision: str = "") -> None:
        """See `TextStore`."""
        wanted = {"installation": self._installation, "index": index} | ({"revision": revision} if revision else {})
        async with self._collection() as collection:
            await collection.delete_many(wanted)

    async def close(self) -> None:
        """See `TextStore`."""
        if self._client is not None:
            await self._client.close()
            self._client = self._ready = None

    @asynccontextmanager
    async def _collection(self) -> AsyncIterator[Any]:
        try:
            if self._client is None:
                self._client = make_client(self._connection, self._timeout)
            async with mongo_errors():
                yield self._ready if self._ready is not None else await self._prepared()
        except VectorsRefused as error:
            raise TextsRefused(str(error)) from error
        except VectorsUnavailable as error:
            raise StoreUnavailable(str(error)) from error

    async def _prepared(self) -> Any:
        """The collection with its indexes."""
        collection = self._client[self._connection.database][f"{self._connection.prefix}{COLLECTION}"]
        await collection.create_index([("of", 1), ("part", 1)])
        await collection.create_index([("installation", 1), ("index", 1), ("revision", 1)])
        self._ready = collection
        return collection

    def _place(self, build: Build) -> dict[str, str]:
        return {"installation": self._installation, "index": build.index, "revision": build.revision}

    def _of(self, build: Build, key: TextKey) -> str:
        """What all parts of a text have in common: a digest, whatever is in the names."""
        names = (self._installation, build.index, build.revision, key.source, key.name, key.hash)
        return hashlib.sha256("\0".join(names).encode()).hexdigest()

    def _parts_of(self, build: Build, span: TextSpan) -> list[str]:
        of, last = self._of(build, span.key), max(span.start, span.end - 1) // PART
        return [f"{of}.{number}" for number in range(span.start // PART, last + 1)]

    def _cut(self, build: Build, span: TextSpan, parts: Mapping[str, str]) -> str | None:
        texts = [parts.get(id_) for id_ in self._parts_of(build, span)]
        if None in texts:
            return None
        first = span.start // PART * PART
        return "".join(text or "" for text in texts)[span.start - first : span.end - first]


def connected(connection: MongoConnection, installation: str) -> MongoTexts:
    """The texts in a MongoDB, reached when it is first used."""
    return MongoTexts(connection, installation=installation)
