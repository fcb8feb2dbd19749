"""Counting the vectors on the servers of indexes, over Chroma's HTTP interface.

It is done apart from the looks at resources, which read only what was counted last, so that a server that answers
slowly delays nobody. A server that does not answer, or answers nonsense, has not lost anything.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from slipway_crds.contract import CHROMA_COLLECTIONS
from slipway_operator.core.cache import ResourceKey
from slipway_operator.core.reading import read_at_most
from slipway_operator.indexes.content import Collection, Counted

logger = logging.getLogger(__name__)

COUNT_AGAIN_SECONDS = 600.0
ASK_AGAIN_SECONDS = 30.0
"""After a server that did not say."""
AT_ONCE = 8
TIMEOUT = aiohttp.ClientTimeout(total=5.0)
ANSWER_BYTES = 64 * 1024
"""The description of a collection takes one and a half kilobytes."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    collection: Collection
    vectors: int | None
    due: float


class Counting:
    """The last count of each index. `enqueue` is called when there is a new one. Times are of the given clock."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        enqueue: Callable[[ResourceKey], None],
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._http = http
        self._enqueue = enqueue
        self._clock = clock or asyncio.get_running_loop().time
        self._answers: dict[ResourceKey, _Answer] = {}
        self._asked: dict[ResourceKey, Collection] = {}
        self._turns: asyncio.Queue[ResourceKey] = asyncio.Queue()

    def of(self, key: ResourceKey, collection: Collection | None) -> Counted:
        """What was counted last, and have it counted again if that is due. None: there is nothing to count."""
        if collection is None:
            self.forget(key)
            return Counted()
        answer = self._answers.get(key)
        known = answer if answer is not None and answer.collection == collection else None
        if known is None or self._clock() >= known.due:
            if key not in self._asked:
                self._turns.put_nowait(key)
            self._asked[key] = collection
        return Counted(vectors=known.vectors) if known is not None else Counted(pending=True)

    def due_in(self, key: ResourceKey) -> float | None:
        """Seconds until it is to be counted again; None while it is being counted, which ends with `enqueue`."""
        answer = self._answers.get(key)
        return max(0.0, answer.due - self._clock()) if answer is not None and key not in self._asked else None

    def forget(self, key: ResourceKey) -> None:
        """The index is gone, or its server is."""
        self._answers.pop(key, None)

    async def work_forever(self) -> None:
        """Count what is due, one after the other. Several of these run at once."""
        while True:
            key = await self._turns.get()
            collection = self._asked[key]
            vectors = await vectors_in(self._http, collection)
            if self._asked[key] != collection:
                # Another build, or another start of the server, since it was asked.
                self._turns.put_nowait(key)
                continue
            del self._asked[key]
            self._note(key, collection, vectors)

    def _note(self, key: ResourceKey, collection: Collection, vectors: int | None) -> None:
        before = self._answers.get(key)
        due = self._clock() + (ASK_AGAIN_SECONDS if vectors is None else COUNT_AGAIN_SECONDS)
        if vectors is None and before is not None and before.collection == collection:
            vectors = before.vectors
        self._answers[key] = _Answer(collection=collection, vectors=vectors, due=due)
        if vectors is not None and vectors < collection.chunks:
            logger.warning("collection %s has %d vectors of %d", collection.name, vectors, collection.chunks)
        self._enqueue(key)


async def vectors_in(http: aiohttp.ClientSession, collection: Collection) -> int | None:
    """How many vectors there are; 0 if there is no such collection; None if the server does not say."""
    base = collection.url + CHROMA_COLLECTIONS
    try:
        status, found = await _get(http, f"{base}/{quote(collection.name, safe='')}")
        if status == 404:
            return 0
        _, count = await _get(http, f"{base}/{quote(str(found['id']), safe='')}/count")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        logger.info("collection %s cannot be counted: %r", collection.name, error)
        return None
    return count if type(count) is int and count >= 0 else None


async def _get(http: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    """Status and JSON; only that of a success is read. Nothing that the server says is trusted."""
    async with http.get(
        URL(url, encoded=True), timeout=TIMEOUT, allow_redirects=False, auto_decompress=False
    ) as response:
        if response.status != 200:
            return response.status, None
        return response.status, orjson.loads(await read_at_most(response, ANSWER_BYTES))
