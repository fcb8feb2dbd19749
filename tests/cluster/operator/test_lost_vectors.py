"""An index whose server loses its vectors, on a real API server and with a real Chroma in place of the server's pod."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from tests.cluster.operator.conftest import MakeOperator
from tests.support.index_server import chroma_at, fill, ready_status, server_pod
from tests.support.operator_steps import ready
from tests.support.operator_world import World, now_for_audit
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster

ADDRESS = "127.0.0.13"
"""Of the pod."""


@pytest.fixture
async def chroma(tmp_path: Path) -> AsyncIterator[ChromaServer]:
    """A client of what listens where the index's pod seems to be."""
    async with chroma_at(ADDRESS, tmp_path) as client:
        yield client


async def _server_pod(world: World, namespace: str) -> None:
    """The StatefulSet's pod, ready at the address of the Chroma server. It replaces the one before."""
    path = f"/api/v1/namespaces/{namespace}/pods/handbook-index-0"
    await world.api.request("DELETE", path, query={"gracePeriodSeconds": "0"})
    stateful_set: dict[str, Any] = {}

    async def made() -> object:
        nonlocal stateful_set
        stateful_set = await world.get("StatefulSet", namespace, "handbook-index")
        return stateful_set and await world.get("ServiceAccount", namespace, "handbook-index")

    await until_async(made, "there are a StatefulSet and its account")
    await world.apply(server_pod(stateful_set))
    status = ready_status(ADDRESS, since=now_for_audit().strftime("%Y-%m-%dT%H:%M:%SZ"))
    await world.merge("Pod", namespace, "handbook-index-0", {"status": status}, "status")


async def _jobs(world: World, namespace: str) -> set[str]:
    return {str(job["metadata"]["name"]) for job in await world.children("Job", namespace)}


async def _until_gone(world: World, namespace: str, job: str) -> None:
    async def gone() -> bool:
        return job not in await _jobs(world, namespace)

    await until_async(gone, "the old Job is cleaned up")


async def _condition(world: World, namespace: str, kind: str) -> str:
    name = "handbook" if kind == "VectorIndex" else "support"
    return str((await world.condition(kind, namespace, name)).get("reason"))


async def test_lost_vectors_are_reported_and_made_again_whatever_happens_to_the_operator(
    world: World, namespace: str, make_operator: MakeOperator, chroma: ChromaServer
) -> None:
    await fill(chroma, namespace, 6)
    async with world.controllers(namespace):
        with make_operator():
            pod = asyncio.create_task(_server_pod(world, namespace))
            await ready(world, namespace)
            await pod
    (first,) = await _jobs(world, namespace)
    await chroma.drop(f"{namespace}.handbook.r1")
    with make_operator():
        for kind, name in (("VectorIndex", "handbook"), ("Agent", "support")):
            await world.until_condition(kind, namespace, name, status="False", reason="IndexLost")

        async def started() -> bool:
            return len(await _jobs(world, namespace) - {first}) == 1

        await until_async(started, "a new Job is started")
    jobs = await _jobs(world, namespace)
    await fill(chroma, namespace, 6)
    with make_operator() as operator:
        await until_async(lambda: asyncio.to_thread(lambda: "leading" in operator.log), "it leads")
        await world.until_quiet(namespace)
        assert await _condition(world, namespace, "VectorIndex") == "IndexLost", "until the Job is done"
        async with world.controllers(namespace):
            await world.until_condition("VectorIndex", namespace, "handbook")
            await world.until_condition("Agent", namespace, "support")
        await _until_gone(world, namespace, first)
    assert await _jobs(world, namespace) == jobs - {first}, "one Job has made good for it"


async def test_a_server_that_starts_with_an_empty_volume_is_filled_again(
    world: World, namespace: str, make_operator: MakeOperator, chroma: ChromaServer
) -> None:
    await fill(chroma, namespace, 6)
    with make_operator():
        async with world.controllers(namespace):
            pod = asyncio.create_task(_server_pod(world, namespace))
            await ready(world, namespace)
            await pod
        (first,) = await _jobs(world, namespace)
        await chroma.delete(f"{namespace}.handbook.r1", ["5"])
        await _server_pod(world, namespace)
        await world.until_condition("VectorIndex", namespace, "handbook", status="False", reason="IndexLost")
        await fill(chroma, namespace, 6)
        async with world.controllers(namespace):
            await world.until_condition("VectorIndex", namespace, "handbook")
        await _until_gone(world, namespace, first)


async def test_a_server_that_does_not_answer_has_lost_nothing(
    world: World, namespace: str, make_operator: MakeOperator
) -> None:
    """Nobody listens at the pod's address."""
    async with world.controllers(namespace):
        with make_operator():
            pod = asyncio.create_task(_server_pod(world, namespace))
            await ready(world, namespace)
            await pod
        jobs, since = await _jobs(world, namespace), now_for_audit()
        with make_operator() as operator:
            await until_async(lambda: asyncio.to_thread(lambda: "cannot be counted" in operator.log), "it was asked")
            await world.until_quiet(namespace)
    assert await _condition(world, namespace, "VectorIndex") == "Serving"
    assert await _jobs(world, namespace) == jobs
    assert world.written(since=since, namespace=namespace) == []
