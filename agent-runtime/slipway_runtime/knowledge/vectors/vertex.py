"""Vertex AI Vector Search 2.0 as a vector store. Contract-tested, not verified live.

A collection of chunks is a collection there, searched exactly, by cosine distance. Its filters have no negation, so
`ne`, `not_in`, `not` and the absence of an attribute are refused before the call, and only numbers have an order.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from slipway_crds.indexes.connections import VertexConnection
from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.vectors.contract import Capabilities, CollectionMissing, Match
from slipway_runtime.knowledge.vectors.external import CollectionTaken
from slipway_runtime.knowledge.vectors.filters import Attributes, Filter, check
from slipway_runtime.knowledge.vectors.terms import Clause, translate
from slipway_runtime.knowledge.vectors.vertex_client import (
    VertexClients,
    make_clients,
    retrying_policy,
    vertex_errors,
)
from slipway_runtime.knowledge.vectors.vertex_objects import (
    OPERATORS,
    VertexGrammar,
    collection_id,
    data_schema,
    described,
    object_id,
    stored_object,
)

BATCH = 250
"""Objects in one request; the service takes 1,000."""
READ_TIMEOUT = 10.0
WRITE_TIMEOUT = 60.0
Json = dict[str, Any]


class VertexVectors:
    """See `VectorStore`, `Ownable` and `Settling`. The client is imported and connects at the first call.

    Args:
        channel: in place of the service's own address and credentials.
    """

    def __init__(self, connection: VertexConnection, *, channel: Any = None) -> None:
        self._connection = connection
        self._channel = channel
        self._clients: VertexClients | None = None
        self._owners: dict[str, str] = {}
        self._numbers: dict[str, frozenset[str]] = {}
        """Of each collection, the fields of numbers that its schema has."""

    @property
    def capabilities(self) -> Capabilities:
        """See `VectorStore`."""
        return Capabilities(filters=OPERATORS, read_after_write=False)

    async def claim(self, collection: str, owner: str) -> None:
        """See `Ownable`: the mark is the description of the collection."""
        self._owners[collection] = owner
        try:
            found = await self._schema(collection)
        except CollectionMissing:
            return
        if found.description != owner:
            raise CollectionTaken(collection, owner=found.description or "somebody unknown", asker=owner)

    async def upsert(
        self, collection: str, ids: Sequence[str], vectors: Matrix, attributes: Sequence[Attributes] | None = None
    ) -> None:
        """See `VectorStore`."""
        each_has = attributes if attributes is not None else [{}] * len(ids)
        data = [described(id_, own) for id_, own in zip(ids, each_has, strict=True)]
        fields = frozenset(key for each in data for key in each if key.startswith("n-"))
        await self._declare(collection, vectors.shape[1], fields)
        for start in range(0, len(ids), BATCH):
            part = slice(start, start + BATCH)
            await self._write(collection, list(zip(ids[part], vectors[part], data[part], strict=True)))

    async def _write(self, collection: str, rows: Sequence[tuple[str, Vector, Json]]) -> None:
        """Make the objects, or replace those that are there: the service does not do both in one request."""
        from google.api_core.exceptions import AlreadyExists

        parent = self._name(collection)
        made = {id_: stored_object(parent, id_, vector, data) for id_, vector, data in rows}
        try:
            await self._create(parent, made)
        except AlreadyExists:
            there = await self.present(collection, list(made))
            await self._create(parent, {id_: each for id_, each in made.items() if id_ not in there})
            requests = [{"data_object": made[id_]} for id_ in sorted(there)]
            async with vertex_errors():
                client = (await self._open()).objects
                await client.batch_update_data_objects(
                    {"parent": parent, "requests": requests},
                    timeout=WRITE_TIMEOUT,
                    retry=retrying_policy(WRITE_TIMEOUT),
                )

    async def _create(self, parent: str, made: Mapping[str, Json]) -> None:
        from google.api_core.exceptions import AlreadyExists

        if not made:
            return
        requests = [
            {
                "parent": parent,
                "data_object_id": object_id(id_),
                "data_object": {k: v for k, v in each.items() if k != "name"},
            }
            for id_, each in made.items()
        ]
        async with vertex_errors(passing=AlreadyExists):
            client = (await self._open()).objects
            await client.batch_create_data_objects(
                {"parent": parent, "requests": requests}, timeout=WRITE_TIMEOUT, retry=retrying_policy(WRITE_TIMEOUT)
            )

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """See `VectorStore`."""
        parent = self._name(collection)
        for start in range(0, len(ids), BATCH):
            there = await self.present(collection, ids[start : start + BATCH])
            if there:
                requests = [{"name": f"{parent}/dataObjects/{object_id(id_)}"} for id_ in sorted(there)]
                async with vertex_errors():
                    client = (await self._open()).objects
                    await client.batch_delete_data_objects(
                        {"parent": parent, "requests": requests},
                        timeout=WRITE_TIMEOUT,
                        retry=retrying_policy(WRITE_TIMEOUT),
                    )

    async def count(self, collection: str) -> int:
        """See `VectorStore`."""
        try:
            async with vertex_errors():
                answer = await (await self._open()).search.aggregate_data_objects(
                    {"parent": self._name(collection), "aggregate": "COUNT"},
                    timeout=READ_TIMEOUT,
                    retry=retrying_policy(READ_TIMEOUT),
                )
        except CollectionMissing:
            return 0
        structs = type(answer).pb(answer).aggregate_results  # whose one number has no documented name
        return int(sum(value.number_value for struct in structs for value in struct.fields.values()))

    async def present(self, collection: str, ids: Sequence[str]) -> set[str]:
        """See `VectorStore`."""
        found: set[str] = set()
        for start in range(0, len(ids), BATCH):
            request = {
                "parent": self._name(collection),
                "filter": {"id": {"$in": list(ids[start : start + BATCH])}},
                "output_fields": {"data_fields": ["id"]},
                "page_size": 1000,
            }
            try:
                async with vertex_errors():
                    pages = await (await self._open()).search.query_data_objects(
                        request, timeout=READ_TIMEOUT, retry=retrying_policy(READ_TIMEOUT)
                    )
                    found.update([str(each.data["id"]) async for each in pages])
            except CollectionMissing:
                return set()
        return found

    async def search(self, collection: str, vector: Vector, count: int, where: Filter | None = None) -> list[Match]:
        """See `VectorStore`."""
        clause = await self._clause(collection, where)
        if clause is False:
            return []
        asked: Json = {
            "search_field": "embedding",
            "vector": {"values": vector.tolist()},
            "top_k": count,
            "output_fields": {"data_fields": ["id"]},
            "distance_metric": "COSINE_DISTANCE",
        }
        if isinstance(clause, dict):
            asked["filter"] = clause
        async with vertex_errors():
            pages = await (await self._open()).search.search_data_objects(
                {"parent": self._name(collection), "vector_search": asked},
                timeout=READ_TIMEOUT,
                retry=retrying_policy(READ_TIMEOUT),
            )
            found = [Match(id=str(each.data_object.data["id"]), score=1 - each.distance) async for each in pages]
        return found[:count]

    async def _clause(self, collection: str, where: Filter | None) -> Clause | bool:
        if where is None:
            return True
        check(where, OPERATORS, "Vertex AI Vector Search")
        translate(where, VertexGrammar(None))  # what it cannot do is refused before anything is sent
        if collection not in self._numbers:
            await self._schema(collection)
        clause = translate(where, VertexGrammar(self._numbers[collection]))
        if clause is False:
            await self._schema(collection)  # which is where a missing collection is noticed
        return clause

    async def exists(self, collection: str) -> bool:
        """See `VectorStore`."""
        try:
            await self._schema(collection)
        except CollectionMissing:
            return False
        return True

    async def settled(self, collection: str, count: int) -> bool:
        """See `Settling`."""
        return await self.count(collection) >= count

    async def drop(self, collection: str) -> None:
        """See `VectorStore`."""
        self._numbers.pop(collection, None)
        try:
            async with vertex_errors():
                client = (await self._open()).collections
                operation = await client.delete_collection({"name": self._name(collection), "force": True})
                await operation.result(timeout=WRITE_TIMEOUT)
        except CollectionMissing:
            return

    async def close(self) -> None:
        """See `VectorStore`."""
        clients, self._clients = self._clients, None
        if clients is not None:
            for client in (clients.collections, clients.objects, clients.search):
                await client.transport.close()

    async def _open(self) -> VertexClients:
        if self._clients is None:
            await asyncio.to_thread(__import__, "google.cloud.vectorsearch_v1")  # takes a third of a second
            self._clients = make_clients(self._connection, self._channel)
        return self._clients

    def _place(self) -> str:
        return f"projects/{self._connection.project}/locations/{self._connection.location}"

    def _name(self, collection: str) -> str:
        return f"{self._place()}/collections/{collection_id(collection)}"

    async def _schema(self, collection: str) -> Any:
        """What the service knows of a collection; raises CollectionMissing."""
        async with vertex_errors():
            found = await (await self._open()).collections.get_collection(
                {"name": self._name(collection)}, timeout=READ_TIMEOUT, retry=retrying_policy(READ_TIMEOUT)
            )
        properties = dict(found.data_schema).get("properties", {})
        self._numbers[collection] = frozenset(name for name in properties if name.startswith("n-"))
        return found

    async def _declare(self, collection: str, dimensions: int, fields: frozenset[str]) -> None:
        """Have a collection whose schema has these fields of numbers."""
        if fields <= self._numbers.get(collection, frozenset()) and collection in self._numbers:
            return
        try:
            await self._schema(collection)
        except CollectionMissing:
            await self._make(collection, dimensions, fields)
            await self._schema(collection)
        known = self._numbers[collection]
        if not fields <= known:
            changed = {"name": self._name(collection), "data_schema": data_schema(fields | known)}
            async with vertex_errors():
                operation = await (await self._open()).collections.update_collection(
                    {"collection": changed, "update_mask": "data_schema"}
                )
                await operation.result(timeout=WRITE_TIMEOUT)
            self._numbers[collection] = fields | known

    async def _make(self, collection: str, dimensions: int, fields: frozenset[str]) -> None:
        from google.api_core.exceptions import AlreadyExists

        made = {
            "display_name": collection[:60],
            "description": self._owners.get(collection, ""),
            "vector_schema": {"embedding": {"dense_vector": {"dimensions": dimensions}}},
            "data_schema": data_schema(fields),
        }
        request = {"parent": self._place(), "collection_id": collection_id(collection), "collection": made}
        try:
            async with vertex_errors(passing=AlreadyExists):
                operation = await (await self._open()).collections.create_collection(request)
                await operation.result(timeout=WRITE_TIMEOUT)
        except AlreadyExists:  # another ingestion was faster
            if collection in self._owners:
                await self.claim(collection, self._owners[collection])


def connected(connection: VertexConnection) -> VertexVectors:
    """The vector store of a project and region, reached when it is first used."""
    return VertexVectors(connection)
