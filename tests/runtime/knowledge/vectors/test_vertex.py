"""The official client of Vector Search 2.0 against a server of its own messages: contract-tested, not verified live."""

from collections.abc import AsyncIterator

import grpc
import pytest

from slipway_crds.indexes.connections import VertexConnection
from slipway_runtime.knowledge.vectors.contract import VectorsRefused, VectorsUnavailable
from slipway_runtime.knowledge.vectors.external import CollectionTaken
from slipway_runtime.knowledge.vectors.filters import Among, Compare, Exists, Filter, Not, UnsupportedFilter
from slipway_runtime.knowledge.vectors.vertex import VertexVectors
from slipway_runtime.knowledge.vectors.vertex_objects import collection_id, object_id
from tests.runtime.knowledge.vectors.back_ends import VERTEX, names, unit_vectors
from tests.support.servers import free_port
from tests.support.vertex_server import VertexServer


@pytest.fixture
async def server() -> AsyncIterator[VertexServer]:
    async with VertexServer() as running:
        yield running


@pytest.fixture
async def store(server: VertexServer) -> AsyncIterator[VertexVectors]:
    made = VertexVectors(VERTEX, channel=server.channel())
    yield made
    await made.close()


async def test_what_is_unavailable_for_a_moment_is_asked_again(store: VertexVectors, server: VertexServer) -> None:
    await store.upsert("c", ["a"], unit_vectors(1))
    server.refusals = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
    await store.upsert("c", names(300), unit_vectors(300))
    assert await store.count("c") == 301
    assert server.refusals == []


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED])
async def test_wrong_credentials_are_told_at_once(
    store: VertexVectors, server: VertexServer, status: grpc.StatusCode
) -> None:
    server.refusals = [status]
    with pytest.raises(VectorsRefused, match="correct its Secret"):
        await store.upsert("c", ["a"], unit_vectors(1))
    assert server.requests == ["GetCollection"]


async def test_a_key_that_is_none_is_told() -> None:
    key = {"type": "service_account", "client_email": "a@b", "private_key": "none", "token_uri": "https://none"}
    store = VertexVectors(VertexConnection(project="example-project", location="europe-west4", credentials=key))
    with pytest.raises(VectorsRefused, match="Workload Identity"):
        await store.exists("c")


async def test_a_port_where_nothing_listens_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway_runtime.knowledge.vectors.vertex.READ_TIMEOUT", 0.5)
    store = VertexVectors(VERTEX, channel=grpc.aio.insecure_channel(f"127.0.0.1:{free_port()}"))
    with pytest.raises(VectorsUnavailable, match="cannot be reached"):
        await store.exists("c")
    await store.close()


async def test_a_vector_of_another_dimension_is_refused(store: VertexVectors) -> None:
    await store.upsert("c", ["a"], unit_vectors(1))
    with pytest.raises(VectorsRefused, match="384 dimensions"):
        await store.upsert("c", ["b"], unit_vectors(1, dimensions=3))


@pytest.mark.parametrize(
    "where",
    [
        Compare("a", "ne", 1),
        Among("a", "not_in", (1,)),
        Not(Exists("a")),
        Exists("a", present=False),
        Compare("a", "gt", "text"),
    ],
)
async def test_what_the_service_cannot_do_is_refused_before_the_call(
    store: VertexVectors, server: VertexServer, where: Filter
) -> None:
    with pytest.raises(UnsupportedFilter, match="Vertex AI Vector Search has"):
        await store.search("c", unit_vectors(1)[0], 3, where)
    assert server.requests == []


async def test_two_installations_do_not_write_one_collection(store: VertexVectors, server: VertexServer) -> None:
    await store.claim("c", "demo/handbook of installation one")
    await store.upsert("c", ["a"], unit_vectors(1))
    await store.claim("c", "demo/handbook of installation one")
    other = VertexVectors(VERTEX, channel=server.channel())
    with pytest.raises(CollectionTaken, match="belongs to demo/handbook of installation one"):
        await other.claim("c", "demo/handbook of installation two")
    await other.close()


def test_names_fit_the_service() -> None:
    assert len(collection_id("n" * 300)) <= 63
    assert len({object_id(name) for name in ("a", "A", "a-", "x" * 60, "x" * 61, "x" * 62)}) == 6
    assert all(len(object_id(name)) <= 63 for name in ("a", "ü", "x" * 60, "x" * 300))
