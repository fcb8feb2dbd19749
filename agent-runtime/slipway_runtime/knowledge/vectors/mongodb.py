"""MongoDB with vector search as a vector store: Atlas, or MongoDB 8.2 with mongot. Contract-tested, not verified live.

A collection of chunks is a collection of MongoDB, with a search index over its vectors. What narrows a search has to be
declared in that index: terms (`terms`), and each attribute that has an order, which is added when it first comes.
MongoDB builds the index by itself, some time after a write.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, get_args

from slipway_crds.indexes.connections import MongoConnection
from slipway_runtime import retrying
from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.vectors.contract import (
    Capabilities,
    CollectionMissing,
    Match,
    VectorsRefused,
    VectorsUnavailable,
)
from slipway_runtime.knowledge.vectors.external import CollectionTaken
from slipway_runtime.knowledge.vectors.filters import Attributes, Filter, Membership, Operator, Order, check
from slipway_runtime.knowledge.vectors.terms import Clause, ordered, terms, translate

BATCH = 250
PAGE = 2000
SEARCH_INDEX = "vectors"
CANDIDATES = 20
"""Neighbours that are looked at for each one that is asked for, as MongoDB advises; 10,000 at most."""
PATIENCE = 60.0
"""Seconds for which a write is tried again, and a search index is waited for."""
LONGEST_NAME = 120
"""Bytes of a collection's name; MongoDB takes 255 with the database's."""
FAILED_AUTHENTICATION = (18, 8000)
"""Codes of MongoDB and of Atlas."""

OPERATORS: frozenset[Operator] = frozenset((*get_args(Order), *get_args(Membership), "exists", "and", "or", "not"))

Json = dict[str, Any]


class MongoVectors:
    """See `VectorStore`, `Ownable` and `Settling`. The driver is imported and connects at the first call.

    Args:
        timeout: seconds that one call may take, connecting included.
    """

    def __init__(self, connection: MongoConnection, *, timeout: float = 10.0) -> None:
        self._connection = connection
        self._prefix = connection.prefix
        self._timeout = timeout
        self._client: Any = None
        self._declared: dict[str, frozenset[str]] = {}
        """Of each collection whose search index can be asked, the attributes that have an order."""

    @property
    def capabilities(self) -> Capabilities:
        """See `VectorStore`."""
        return Capabilities(filters=OPERATORS, read_after_write=False)

    async def claim(self, collection: str, owner: str) -> None:
        """See `Ownable`."""
        from pymongo import ReturnDocument

        async with mongo_errors():
            mark = await (await self._owners()).find_one_and_update(
                {"_id": self._name(collection)},
                {"$setOnInsert": {"owner": owner}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        if mark["owner"] != owner:
            raise CollectionTaken(self._name(collection), owner=mark["owner"], asker=owner)

    async def upsert(
        self, collection: str, ids: Sequence[str], vectors: Matrix, attributes: Sequence[Attributes] | None = None
    ) -> None:
        """See `VectorStore`."""
        from bson.binary import Binary, BinaryVectorDtype
        from pymongo import ReplaceOne

        described = attributes if attributes is not None else [{}] * len(ids)
        fields = frozenset(name for each in described for name in ordered(each))
        await self._declare(collection, vectors.shape[1], fields)
        for start in range(0, len(ids), BATCH):
            writes = [
                ReplaceOne(
                    {"_id": id_},
                    {
                        "embedding": Binary.from_vector(vector.tolist(), BinaryVectorDtype.FLOAT32),
                        "terms": terms(own),
                        "order": ordered(own),
                    },
                    upsert=True,
                )
                for id_, vector, own in zip(
                    ids[start : start + BATCH],
                    vectors[start : start + BATCH],
                    described[start : start + BATCH],
                    strict=True,
                )
            ]
            await self._write(collection, writes)

    async def _write(self, collection: str, writes: Sequence[Any]) -> None:
        async def step() -> None:
            async with mongo_errors():
                await (await self._of(collection)).bulk_write(writes, ordered=False)

        await retrying.retry(step, policy=retrying.INGESTION, on=_worth_retrying, seconds=PATIENCE)

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """See `VectorStore`."""
        for start in range(0, len(ids), PAGE):
            async with mongo_errors():
                await (await self._of(collection)).delete_many({"_id": {"$in": list(ids[start : start + PAGE])}})

    async def count(self, collection: str) -> int:
        """See `VectorStore`."""
        async with mongo_errors():
            return int(await (await self._of(collection)).count_documents({}))

    async def present(self, collection: str, ids: Sequence[str]) -> set[str]:
        """See `VectorStore`."""
        found: set[str] = set()
        for start in range(0, len(ids), PAGE):
            async with mongo_errors():
                wanted = {"_id": {"$in": list(ids[start : start + PAGE])}}
                found.update([each["_id"] async for each in (await self._of(collection)).find(wanted, {"_id": 1})])
        return found

    async def search(self, collection: str, vector: Vector, count: int, where: Filter | None = None) -> list[Match]:
        """See `VectorStore`."""
        if where is not None:
            check(where, OPERATORS, "MongoDB")
        declared = self._declared.get(collection)
        if declared is None:
            declared = await self._ready(collection)
        clause = True if where is None else translate(where, MongoGrammar(declared))
        if clause is False:
            return []
        found = await self._nearest(collection, vector, count, clause if isinstance(clause, dict) else {})
        if not found:  # what MongoDB answers for a collection that is not there any more, too
            self._declared.pop(collection, None)
            await self._ready(collection)
        return found

    async def _nearest(self, collection: str, vector: Vector, count: int, clause: Clause) -> list[Match]:
        from bson.binary import Binary, BinaryVectorDtype

        stage: Json = {
            "index": SEARCH_INDEX,
            "path": "embedding",
            "queryVector": Binary.from_vector(vector.tolist(), BinaryVectorDtype.FLOAT32),
            "numCandidates": max(count, min(count * CANDIDATES, 10_000)),
            "limit": count,
        }
        if clause:
            stage["filter"] = clause
        pipeline = [{"$vectorSearch": stage}, {"$project": {"score": {"$meta": "vectorSearchScore"}}}]
        async with mongo_errors():
            cursor = await (await self._of(collection)).aggregate(pipeline)
            return [Match(id=each["_id"], score=2 * each["score"] - 1) async for each in cursor]

    async def exists(self, collection: str) -> bool:
        """See `VectorStore`."""
        async with mongo_errors():
            names = await (await self._database()).list_collection_names(filter={"name": self._name(collection)})
        return bool(names)

    async def settled(self, collection: str, count: int) -> bool:
        """See `Settling`: whether the search index has been built; it follows writes within a second or so."""
        index = await self._search_index(collection)
        return index is not None and bool(index.get("queryable")) and index.get("status", "READY") == "READY"

    async def drop(self, collection: str) -> None:
        """See `VectorStore`."""
        self._declared.pop(collection, None)
        async with mongo_errors():
            await (await self._of(collection)).drop()
            await (await self._owners()).delete_one({"_id": self._name(collection)})

    async def close(self) -> None:
        """See `VectorStore`."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _database(self) -> Any:
        if self._client is None:
            client = await asyncio.to_thread(make_client, self._connection, self._timeout)
            self._client = self._client or client
        return self._client[self._connection.database]

    def _name(self, collection: str) -> str:
        """Name of a collection at MongoDB."""
        name = self._prefix + collection
        if len(name.encode()) <= LONGEST_NAME:
            return name
        return f"{self._prefix}{hashlib.sha256(collection.encode()).hexdigest()}"

    async def _of(self, collection: str) -> Any:
        return (await self._database())[self._name(collection)]

    async def _owners(self) -> Any:
        return (await self._database())[f"{self._prefix}owners"]

    async def _declare(self, collection: str, dimensions: int, fields: frozenset[str]) -> None:
        """Have a search index that knows these attributes, and wait until it can be asked."""
        from pymongo.errors import CollectionInvalid
        from pymongo.operations import SearchIndexModel

        if fields <= self._declared.get(collection, frozenset()) and collection in self._declared:
            return
        async with mongo_errors():
            with suppress(CollectionInvalid):  # it is there
                await (await self._database()).create_collection(self._name(collection))
            index = await self._search_index(collection)
            if index is None:
                model = SearchIndexModel(_definition(dimensions, fields), name=SEARCH_INDEX, type="vectorSearch")
                await (await self._of(collection)).create_search_index(model)
            elif not fields <= (known := _orders(index)):
                await (await self._of(collection)).update_search_index(
                    SEARCH_INDEX, _definition(dimensions, fields | known)
                )
        self._declared[collection] = await retrying.retry(
            lambda: self._ready(collection, fields), policy=retrying.INGESTION, on=_worth_retrying, seconds=PATIENCE
        )

    async def _ready(self, collection: str, fields: frozenset[str] = frozenset()) -> frozenset[str]:
        """The attributes that have an order in the search index.

        Raises:
            CollectionMissing: if there is none.
            VectorsUnavailable: if it cannot be asked yet, or does not know these yet.
        """
        index = await self._search_index(collection)
        if index is None:
            raise CollectionMissing(self._name(collection))
        if index.get("status") == "FAILED":
            raise VectorsUnavailable(f"MongoDB could not build the search index of {self._name(collection)}")
        known = _orders(index)
        rebuilt = not fields or index.get("status", "READY") == "READY"  # until then, it is asked as it was before
        if not (index.get("queryable") and rebuilt and fields <= known):
            raise VectorsUnavailable(f"MongoDB is still building the search index of {self._name(collection)}")
        self._declared[collection] = known
        return known

    async def _search_index(self, collection: str) -> Mapping[str, Any] | None:
        async with mongo_errors():
            async for index in await (await self._of(collection)).list_search_indexes(SEARCH_INDEX):
                return dict(index)
        return None


def _definition(dimensions: int, fields: frozenset[str]) -> Json:
    vector = {"type": "vector", "path": "embedding", "numDimensions": dimensions, "similarity": "cosine"}
    filters = ["terms", *(f"order.{field}" for field in sorted(fields))]
    return {"fields": [vector, *({"type": "filter", "path": path} for path in filters)]}


def _orders(index: Mapping[str, Any]) -> frozenset[str]:
    """The attributes that a search index knows to have an order."""
    fields = index.get("latestDefinition", {}).get("fields", [])
    paths = [str(field["path"]) for field in fields if field["type"] == "filter"]
    return frozenset(path.removeprefix("order.") for path in paths if path.startswith("order."))


class MongoGrammar:
    """See `Grammar`.

    Args:
        declared: attributes that have an order; of another one, no chunk has a value.
    """

    def __init__(self, declared: frozenset[str]) -> None:
        self._declared = declared

    def any_term(self, terms: Sequence[str]) -> Clause:
        """See `Grammar`."""
        return {"terms": {"$in": list(terms)}}

    def order(self, field: str, op: Order, value: str | float) -> Clause | bool:
        """See `Grammar`."""
        return {f"order.{field}": {f"${op}": value}} if field in self._declared else False

    def both(self, parts: Sequence[Clause]) -> Clause:
        """See `Grammar`."""
        return {"$and": list(parts)}

    def either(self, parts: Sequence[Clause]) -> Clause:
        """See `Grammar`."""
        return {"$or": list(parts)}

    def negated(self, part: Clause) -> Clause:
        """See `Grammar`."""
        return {"$nor": [part]}


def _worth_retrying(error: BaseException) -> bool:
    return isinstance(error, VectorsUnavailable) and not isinstance(error, VectorsRefused)


@asynccontextmanager
async def mongo_errors() -> AsyncIterator[None]:
    """The driver's exceptions as the contract's."""
    from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

    try:
        yield
    except ConnectionFailure as error:
        raise VectorsUnavailable(f"MongoDB cannot be reached: {_short(error)}") from error
    except OperationFailure as error:
        if error.code in FAILED_AUTHENTICATION:
            raise VectorsRefused(
                "MongoDB refused the user or password of the connection: correct the Secret of its connectionRef"
            ) from error
        kind = VectorsUnavailable if error.has_error_label("RetryableWriteError") else VectorsRefused
        raise kind(f"MongoDB answered {error.code}: {_short(error)}") from error
    except PyMongoError as error:
        raise VectorsRefused(f"MongoDB cannot do its work: {_short(error)}") from error


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def make_client(connection: MongoConnection, timeout: float) -> Any:
    """A client of the driver, which connects at the first call.

    Raises:
        VectorsUnavailable: if the URI cannot be used.
    """
    from pymongo import AsyncMongoClient
    from pymongo.errors import PyMongoError

    milliseconds = int(timeout * 1000)
    try:
        return AsyncMongoClient(
            connection.uri,
            appname="slipway",
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            socketTimeoutMS=milliseconds,
        )
    except (PyMongoError, ValueError) as error:
        raise VectorsRefused(f"the URI of the MongoDB cannot be used: {type(error).__name__}") from error


def connected(connection: MongoConnection) -> MongoVectors:
    """The vector store of a database, reached when it is first used."""
    return MongoVectors(connection)
