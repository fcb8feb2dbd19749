"""The local driver with a Postgres for its store, which several processes share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import yaml

from slipway_crds.manifests import ManifestDocument
from slipway_crds.runtimeconfig import VectorsConfig
from slipway_runtime.dev.driver import LocalDriver
from slipway_runtime.dev.manifests import Manifests, assemble
from slipway_runtime.dev.parts import Parts, open_parts
from slipway_runtime.dev.vectors import CONNECTION, TYPE, InvalidPlace, chosen_place
from slipway_runtime.gateway.app import create_app
from slipway_runtime.host.app import create_host_app
from slipway_runtime.settings import default_model_dir
from slipway_runtime.store.pointers import read_pointer
from tests.support.servers import free_port
from tests.support.serving import served

ZOO = """
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {name: zoo, namespace: demo}
spec: {backend: BACKEND, sources: [{name: docs, configMap: {name: docs}}]}
---
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {name: keeper, namespace: demo}
spec: {knowledge: [{name: zoo, indexRef: {name: zoo}, minScore: "0.2"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: docs, namespace: demo}
data: {zoo.md: "The elephant is called Rosa. She eats hay."}
"""
QUESTION = {"question": "What is the elephant called?"}


def zoo(backend: str, *more: str) -> Manifests:
    text = "\n---\n".join([ZOO.replace("BACKEND", backend), *more])
    return assemble([ManifestDocument(value, "zoo.yaml") for value in yaml.safe_load_all(text)])


class Process:
    """The parts of one process, and a client of its gateway."""

    def __init__(self, parts: Parts, driver: LocalDriver, client: aiohttp.ClientSession) -> None:
        self.parts = parts
        self.driver = driver
        self.client = client

    async def apply(self, manifests: Manifests) -> list[str]:
        outcomes = await self.driver.apply(manifests, progress=lambda key, progress: None)
        return [each.error for each in outcomes if each.error]

    async def ask(self) -> str:
        async with self.client.post("/agents/demo/keeper/chat", json=QUESTION) as response:
            return str((await response.json()).get("answer"))

    async def place(self) -> VectorsConfig:
        """Where the vectors are."""
        pointer = await read_pointer(self.parts.dependencies.database, "demo/zoo")
        assert pointer is not None
        return pointer.vectors


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@asynccontextmanager
async def process(folder: Path, store: str = "") -> AsyncIterator[Process]:
    async with AsyncExitStack() as stack:
        opened = open_parts(made(folder), model=default_model_dir(), delta_delay=0, store=store)
        parts = await stack.enter_async_context(opened)
        port = free_port()
        driver = LocalDriver(parts, host_url=f"http://127.0.0.1:{port}")
        await stack.enter_async_context(served(create_host_app(parts.host), port=port))
        url = await stack.enter_async_context(served(create_app(parts.gateway)))
        client = await stack.enter_async_context(aiohttp.ClientSession(url))
        yield Process(parts, driver, client)


@pytest.fixture
async def vector_dsn(postgres_dsn: str) -> str:
    """A database with the extension."""
    connection = await asyncpg.connect(postgres_dsn)
    await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    await connection.close()
    return postgres_dsn


async def test_two_processes_with_one_store_answer_alike_and_lose_nothing(tmp_path: Path, vector_dsn: str) -> None:
    async with process(tmp_path / "a", vector_dsn) as one, process(tmp_path / "b", vector_dsn) as two:
        manifests = zoo("{pgvector: {}}")
        assert [*await asyncio.gather(one.apply(manifests), two.apply(manifests))] == [[], []]
        for each in (one, two):
            assert await each.ask() == "The elephant is called Rosa."
            assert await each.place() == VectorsConfig(kind="pgvector")
        assert one.parts.host is not two.parts.host
    async with process(tmp_path / "c", vector_dsn) as later:
        assert await later.place() == VectorsConfig(kind="pgvector"), "it is there before anything is ingested"


async def test_without_a_store_pgvector_is_emulated(tmp_path: Path) -> None:
    async with process(tmp_path / "a") as alone:
        assert await alone.apply(zoo("{pgvector: {}}")) == []
        assert await alone.ask() == "The elephant is called Rosa."


async def test_the_environment_names_the_place_of_what_manifests_leave_open(
    tmp_path: Path, vector_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TYPE, "pgvector")
    monkeypatch.setenv(CONNECTION, vector_dsn)
    async with process(tmp_path / "a") as alone:
        assert await alone.apply(zoo("{chroma: {}}")) == []
        assert await alone.ask() == "The elephant is called Rosa."
        assert await alone.place() == VectorsConfig(kind="pgvector", connection=f"zoo/environment/{CONNECTION}")


async def test_a_connection_is_a_secret_among_the_manifests_or_missing(tmp_path: Path, vector_dsn: str) -> None:
    ref = "{pgvector: {connectionRef: {name: vectors, key: VECTORS_DSN}}}"
    async with process(tmp_path / "a") as alone:
        (said,) = alone.driver.warnings(zoo(ref))
        assert said.startswith("VectorIndex demo/zoo: spec.backend has no connection: set VECTORS_DSN, or add a Secret")
        (error,) = await alone.apply(zoo(ref))
        assert "is there a Secret vectors with the key VECTORS_DSN?" in error
        metadata = "metadata: {name: vectors, namespace: demo}"
        secret = f"apiVersion: v1\nkind: Secret\n{metadata}\nstringData: {{VECTORS_DSN: '{vector_dsn}'}}"
        assert await alone.apply(zoo(ref, secret)) == []
        assert await alone.ask() == "The elephant is called Rosa."


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({TYPE: "faiss"}, "write one of chroma, pgvector"),
        ({TYPE: "pgvector"}, "give --store"),
        ({TYPE: "mongodb"}, f"set {CONNECTION}"),
    ],
)
def test_a_place_that_cannot_be_is_refused(environment: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidPlace, match=says):
        chosen_place(environment, postgres=False)
    assert chosen_place({}, postgres=False).of("zoo", VectorsConfig()) == VectorsConfig()
