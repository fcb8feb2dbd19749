"""Vertex AI Vector Search 2.0 on this machine: a gRPC server made of the official client's own messages."""

import operator
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy as np
from google.cloud import vectorsearch_v1 as service
from google.longrunning import operations_pb2  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2, json_format

PACKAGE = "google.cloud.vectorsearch.v1"
ORDERS = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}
Json = dict[str, Any]


class VertexServer:
    """Started as an async context manager; `address` leads to it."""

    def __init__(self) -> None:
        self.collections: dict[str, Any] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        self.refusals: list[grpc.StatusCode] = []
        """What the next requests are answered."""
        self.requests: list[str] = []

    async def __aenter__(self) -> "VertexServer":
        self._server = grpc.aio.server()
        for name, methods in {
            "VectorSearchService": {
                "CreateCollection": (self._create_collection, service.CreateCollectionRequest),
                "GetCollection": (self._get_collection, service.GetCollectionRequest),
                "UpdateCollection": (self._update_collection, service.UpdateCollectionRequest),
                "DeleteCollection": (self._delete_collection, service.DeleteCollectionRequest),
            },
            "DataObjectService": {
                "BatchCreateDataObjects": (self._create, service.BatchCreateDataObjectsRequest),
                "BatchUpdateDataObjects": (self._update, service.BatchUpdateDataObjectsRequest),
                "BatchDeleteDataObjects": (self._delete, service.BatchDeleteDataObjectsRequest),
            },
            "DataObjectSearchService": {
                "SearchDataObjects": (self._search, service.SearchDataObjectsRequest),
                "QueryDataObjects": (self._query, service.QueryDataObjectsRequest),
                "AggregateDataObjects": (self._aggregate, service.AggregateDataObjectsRequest),
            },
        }.items():
            handlers = {method: self._handler(method, *each) for method, each in methods.items()}
            generic = grpc.method_handlers_generic_handler(f"{PACKAGE}.{name}", handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    def channel(self) -> Any:
        """A channel of a client."""
        return grpc.aio.insecure_channel(self.address)

    def _handler(self, name: str, function: Callable[[Any, Any], Awaitable[Any]], request: Any) -> Any:
        async def handle(message: Any, context: Any) -> Any:
            self.requests.append(name)
            if self.refusals:
                await context.abort(self.refusals.pop(0), "provoked")
            return await function(message, context)

        def serialized(answer: Any) -> bytes:
            kind = type(answer)
            made: bytes = kind.serialize(answer) if hasattr(kind, "serialize") else answer.SerializeToString()
            return made

        return grpc.unary_unary_rpc_method_handler(
            handle, request_deserializer=request.deserialize, response_serializer=serialized
        )

    async def _create_collection(self, request: Any, context: Any) -> Any:
        name = f"{request.parent}/collections/{request.collection_id}"
        if name in self.collections:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, name)
        request.collection.name = name
        self.collections[name], self.objects[name] = request.collection, {}
        return _done(service.Collection.pb(request.collection))

    async def _get_collection(self, request: Any, context: Any) -> Any:
        return await self._there(request.name, context)

    async def _update_collection(self, request: Any, context: Any) -> Any:
        found = await self._there(request.collection.name, context)
        assert list(request.update_mask.paths) == ["data_schema"]
        found.data_schema = request.collection.data_schema
        return _done(service.Collection.pb(found))

    async def _delete_collection(self, request: Any, context: Any) -> Any:
        await self._there(request.name, context)
        del self.collections[request.name], self.objects[request.name]
        return _done(empty_pb2.Empty())

    async def _there(self, name: str, context: Any) -> Any:
        if name not in self.collections:
            await context.abort(grpc.StatusCode.NOT_FOUND, name)
        return self.collections[name]

    async def _create(self, request: Any, context: Any) -> Any:
        schema = await self._there(request.parent, context)
        assert 0 < len(request.requests) <= 1000
        made = {f"{request.parent}/dataObjects/{each.data_object_id}": each.data_object for each in request.requests}
        if set(made) & set(self.objects[request.parent]):
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "an object is there")
        await self._fits(schema, made, context)
        self.objects[request.parent] |= made
        return service.BatchCreateDataObjectsResponse()

    async def _update(self, request: Any, context: Any) -> Any:
        schema = await self._there(request.parent, context)
        made = {each.data_object.name: each.data_object for each in request.requests}
        if not set(made) <= set(self.objects[request.parent]):
            await context.abort(grpc.StatusCode.NOT_FOUND, "an object is not there")
        await self._fits(schema, made, context)
        self.objects[request.parent] |= made
        return service.BatchUpdateDataObjectsResponse()

    async def _fits(self, schema: Any, made: Json, context: Any) -> None:
        dimensions = schema.vector_schema["embedding"].dense_vector.dimensions
        if any(len(each.vectors["embedding"].dense.values) != dimensions for each in made.values()):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"vectors must have {dimensions} dimensions")

    async def _delete(self, request: Any, context: Any) -> Any:
        await self._there(request.parent, context)
        names = {each.name for each in request.requests}
        if not names <= set(self.objects[request.parent]):
            await context.abort(grpc.StatusCode.NOT_FOUND, "an object is not there")
        for name in names:
            del self.objects[request.parent][name]
        return empty_pb2.Empty()

    async def _search(self, request: Any, context: Any) -> Any:
        schema, asked = await self._there(request.parent, context), request.vector_search
        assert asked.distance_metric == service.DistanceMetric.COSINE_DISTANCE
        query = np.asarray(asked.vector.values)
        clause = await self._declared(schema, service.VectorSearch.pb(asked).filter, context)
        answer = []
        for each in self.objects[request.parent].values():
            if matches(clause, _data(each)):
                one = np.asarray(each.vectors["embedding"].dense.values)
                distance = 1 - float(query @ one / (np.linalg.norm(query) * np.linalg.norm(one)))
                answer.append(service.SearchResult(data_object=each, distance=distance))
        answer.sort(key=lambda result: result.distance)
        return service.SearchDataObjectsResponse(results=answer[: asked.top_k])

    async def _query(self, request: Any, context: Any) -> Any:
        schema = await self._there(request.parent, context)
        clause = await self._declared(schema, service.QueryDataObjectsRequest.pb(request).filter, context)
        found = [each for each in self.objects[request.parent].values() if matches(clause, _data(each))]
        start = int(request.page_token or 0)
        end = start + 100  # fewer than are asked for, so that pages are followed
        token = str(end) if end < len(found) else ""
        return service.QueryDataObjectsResponse(data_objects=found[start:end], next_page_token=token)

    async def _aggregate(self, request: Any, context: Any) -> Any:
        await self._there(request.parent, context)
        answer = service.AggregateDataObjectsResponse.pb(service.AggregateDataObjectsResponse())
        answer.aggregate_results.add().update({"count": len(self.objects[request.parent])})
        return answer

    async def _declared(self, schema: Any, clause: Any, context: Any) -> Json:
        plain = _plain(clause)
        unknown = _fields(plain) - set(_plain(service.Collection.pb(schema).data_schema)["properties"])
        if unknown:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"unknown fields {sorted(unknown)}")
        return plain


def _plain(struct: Any) -> Json:
    """A Struct as what it stands for."""
    return dict(json_format.MessageToDict(struct))


def _data(one: Any) -> Json:
    """What an object holds besides its vector."""
    return _plain(service.DataObject.pb(one).data)


def _fields(clause: Json) -> set[str]:
    found: set[str] = set()
    for key, value in clause.items():
        found |= {field for part in value for field in _fields(part)} if key in ("$and", "$or") else {key}
    return found


def matches(clause: Json, data: Json) -> bool:
    """Whether an object passes a filter, as the service's documentation of its language says."""
    for key, wanted in clause.items():
        if key in ("$and", "$or"):
            if not {"$and": all, "$or": any}[key](matches(part, data) for part in wanted):
                return False
        elif not all(_passes(op, data.get(key), value) for op, value in wanted.items()):
            return False
    return True


def _passes(op: str, found: Any, value: Any) -> bool:
    if op == "$all":
        return isinstance(found, list) and set(value) <= set(found)
    if op == "$in":
        return found in value
    return isinstance(found, int | float) and ORDERS[op](found, value)


def _done(message: Any) -> Any:
    """A long-running operation that has ended."""
    response = any_pb2.Any()
    response.Pack(message)
    return operations_pb2.Operation(name="operations/1", done=True, response=response)
