"""The back ends that all tests of the contract run on, and vectors for them."""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import numpy as np
import pytest

from slipway_crds.indexes.connections import VertexConnection
from slipway_runtime.knowledge.embedding.embedder import Matrix
from slipway_runtime.knowledge.vectors.chroma_embedded import open_embedded_chroma
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from slipway_runtime.knowledge.vectors.cockroachdb import CockroachVectors
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.knowledge.vectors.pgvector import CREATE_EXTENSION
from slipway_runtime.knowledge.vectors.servers import connected
from slipway_runtime.knowledge.vectors.vertex import VertexVectors
from tests.runtime.knowledge.vectors.cockroach import CockroachLike
from tests.support.mongo_server import MongoServer
from tests.support.vertex_server import VertexServer

# Fixtures that it asks for are not asynchronous ones: it is asked in a running loop.
OpenBackEnd = Callable[[pytest.FixtureRequest, Path], AbstractAsyncContextManager[VectorStore]]


@asynccontextmanager
async def _chroma_embedded(_: pytest.FixtureRequest, folder: Path) -> AsyncIterator[VectorStore]:
    store = await open_embedded_chroma(folder / "chroma")
    yield store
    await store.close()


@asynccontextmanager
async def _chroma_server(request: pytest.FixtureRequest, _: Path) -> AsyncIterator[VectorStore]:
    store = ChromaServer(request.getfixturevalue("chroma_url"))
    yield store
    await store.close()


@asynccontextmanager
async def _pgvector(request: pytest.FixtureRequest, _: Path) -> AsyncIterator[VectorStore]:
    store = connected("pgvector", await database_with_pgvector(request.getfixturevalue("postgres_server")))
    yield store
    await store.close()


@asynccontextmanager
async def _mongodb(_: pytest.FixtureRequest, __: Path) -> AsyncIterator[VectorStore]:
    async with MongoServer() as server:
        store = connected("mongodb", server.uri)
        yield store
        await store.close()


@asynccontextmanager
async def _cockroachdb(request: pytest.FixtureRequest, _: Path) -> AsyncIterator[VectorStore]:
    database = CockroachLike(await database_with_pgvector(request.getfixturevalue("postgres_server")))
    yield CockroachVectors(database)
    await database.close()


VERTEX = VertexConnection(project="example-project", location="europe-west4")


@asynccontextmanager
async def _vertex(_: pytest.FixtureRequest, __: Path) -> AsyncIterator[VectorStore]:
    async with VertexServer() as server:
        store = VertexVectors(VERTEX, channel=server.channel())
        yield store
        await store.close()


BACK_ENDS: Mapping[str, OpenBackEnd] = {
    "chroma-embedded": _chroma_embedded,
    "chroma-server": _chroma_server,
    "pgvector": _pgvector,
    "mongodb": _mongodb,
    "cockroachdb": _cockroachdb,
    "vertex": _vertex,
}


async def database_with_pgvector(server: str) -> str:
    """DSN of a new database on the server, with the extension where Slipway's operator puts it."""
    name = f"vectors_{secrets.token_hex(6)}"
    await statement(server, f"CREATE DATABASE {name}")
    dsn = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    await statement(dsn, CREATE_EXTENSION)
    return dsn


async def statement(dsn: str, sql: str) -> None:
    """Run statements as the database's administrator."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def unit_vectors(count: int, *, seed: int = 0, dimensions: int = 384) -> Matrix:
    """Vectors of length 1 in all directions."""
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    normalised: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normalised


def names(count: int) -> list[str]:
    """Ids."""
    return [f"id-{number}" for number in range(count)]
