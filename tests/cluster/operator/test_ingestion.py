"""Ingestions on a real API server: started by what changes, one at a time, reported in their own words."""

from typing import Any

import asyncpg
import pytest

from slipway_operator.store.builders import owner_role
from tests.support.operator_manifests import agent, documents, index
from tests.support.operator_process import OperatorProcess
from tests.support.operator_world import REPORT, World
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster


async def status_of(world: World, namespace: str) -> dict[str, Any]:
    return dict((await world.get("VectorIndex", namespace, "handbook")).get("status", {}))


async def jobs(world: World, namespace: str) -> list[str]:
    return [job["metadata"]["name"] for job in await world.children("Job", namespace)]


async def test_a_changed_source_is_ingested_again(world: World, namespace: str, operator: OperatorProcess) -> None:
    async with world.controllers(namespace):
        await world.apply(documents(namespace))
        await world.apply(index(namespace))
        await world.until_condition("VectorIndex", namespace, "handbook")
        (first,) = await jobs(world, namespace)
        before = await status_of(world, namespace)
        world.outcomes.report = lambda job: {**REPORT, "revision": "r2", "documents": 1}
        await world.apply(documents(namespace, **{"a.md": "# Changed"}))

        async def renewed() -> bool:
            return (await status_of(world, namespace)).get("activeRevision") == "r2"

        await until_async(renewed, "the second ingestion is over")
        after = await status_of(world, namespace)
        assert after["documents"] == 1
        assert after["syncedSources"] != before["syncedSources"]

        async def cleaned() -> bool:
            return first not in await jobs(world, namespace)

        await until_async(cleaned, "the old Job is cleaned up")
        (config_map,) = await world.children("ConfigMap", namespace)
        assert [config_map["metadata"]["name"]] == await jobs(world, namespace), "and its ConfigMap with it"


async def test_a_failed_ingestion_says_why_and_the_last_build_keeps_serving(
    world: World, namespace: str, operator: OperatorProcess
) -> None:
    async with world.controllers(namespace):
        await world.apply(documents(namespace))
        await world.apply(index(namespace))
        await world.until_condition("VectorIndex", namespace, "handbook")
        world.outcomes.report = lambda job: "IngestionFailed: the disk under Chroma is full."
        await world.apply(documents(namespace, **{"a.md": "# Changed"}))
        failed = await world.until_condition(
            "VectorIndex", namespace, "handbook", condition="Synced", status="False", reason="IngestionFailed"
        )
        assert "the disk under Chroma is full" in failed["message"]
        status = await status_of(world, namespace)
        assert (status["phase"], status["activeRevision"]) == ("Degraded", "r1")
        assert (await world.condition("VectorIndex", namespace, "handbook"))["status"] == "True"
        assert await world.condition("VectorIndex", namespace, "handbook", "Stalled") == {}
        world.outcomes.report = lambda job: REPORT
        await world.apply(documents(namespace, **{"a.md": "# Changed again"}))
        await world.until_condition("VectorIndex", namespace, "handbook", condition="Synced")
        assert (await status_of(world, namespace))["phase"] == "Ready"


async def test_sources_without_a_document_leave_an_index_unbuilt(
    world: World, namespace: str, operator: OperatorProcess
) -> None:
    world.outcomes.report = lambda job: "NoDocuments: there is no document in the sources."
    async with world.controllers(namespace):
        await world.apply(documents(namespace))
        await world.apply(index(namespace))
        await world.apply(agent(namespace))
        waiting = await world.until_condition(
            "VectorIndex", namespace, "handbook", status="False", reason="NoDocuments"
        )
        assert "Put at least one document" in waiting["message"]
        assert (await world.condition("VectorIndex", namespace, "handbook", "Synced"))["reason"] == "NoDocuments"
        await world.until_condition("Agent", namespace, "support", status="False", reason="WaitingForIndex")


async def test_documents_that_could_not_be_read_are_named(
    world: World, namespace: str, operator: OperatorProcess
) -> None:
    report = {**REPORT, "failed": 2, "failures": ["docs/logo.png: not UTF-8 text"]}
    world.outcomes.report = lambda job: report
    async with world.controllers(namespace):
        await world.apply(documents(namespace))
        await world.apply(index(namespace))
        await world.until_condition("VectorIndex", namespace, "handbook")
        synced = await world.until_condition(
            "VectorIndex", namespace, "handbook", condition="Synced", reason="SomeDocumentsFailed"
        )
    assert synced["message"].startswith("2 documents could not be ingested: docs/logo.png: not UTF-8 text and 1 more")


async def test_a_report_outlives_its_pod(world: World, namespace: str, operator: OperatorProcess) -> None:
    async with world.controllers(namespace):
        await world.apply(documents(namespace))
        await world.apply(index(namespace))
        await world.until_condition("VectorIndex", namespace, "handbook")
        for pod in await world.children("Pod", namespace):
            path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
            await world.api.request("DELETE", path, query={"gracePeriodSeconds": "0"})
        await world.merge("VectorIndex", namespace, "handbook", {"status": {"documents": 99}}, "status")

        async def rebuilt() -> bool:
            return bool((await status_of(world, namespace))["documents"] == 2)

        await until_async(rebuilt, "the status is written again from what is kept on the Job")


async def test_deleting_an_index_takes_its_documents_only_if_the_policy_says_so(
    world: World, namespace: str, operator: OperatorProcess, postgres_server: str
) -> None:
    async with world.controllers(namespace):
        await world.apply(documents(namespace))
        await world.apply(index(namespace))
        await world.apply(index(namespace, "doomed", deletionPolicy="Delete"))
        for name in ("handbook", "doomed"):
            await world.until_condition("VectorIndex", namespace, name)
        assert (await world.get("VectorIndex", namespace, "handbook"))["metadata"].get("finalizers") is None
        uid = (await world.api.request("GET", f"/api/v1/namespaces/{namespace}")).body["metadata"]["uid"]
        schema = owner_role(uid)
        connection = await asyncpg.connect(postgres_server)
        try:
            await connection.execute(f"CREATE TABLE {schema}.documents (index_name text)")
            await connection.execute(f"ALTER TABLE {schema}.documents OWNER TO {schema}")
            rows = [(f"{namespace}/handbook",), (f"{namespace}/doomed",)]
            await connection.executemany(f"INSERT INTO {schema}.documents VALUES ($1)", rows)
            await world.delete("VectorIndex", namespace, "doomed")
            for job in await world.children("Job", namespace):
                # Foreground deletion waits for a garbage collector, which is not here.
                if job["metadata"]["labels"]["slipway.dev/index"] == "doomed":
                    await _collect(world, namespace, job["metadata"]["name"])

            async def gone() -> bool:
                return not await world.get("VectorIndex", namespace, "doomed")

            await until_async(gone, "the index is let go")
            left = await connection.fetch(f"SELECT index_name FROM {schema}.documents")
        finally:
            await connection.close()
    assert [row["index_name"] for row in left] == [f"{namespace}/handbook"]


async def _collect(world: World, namespace: str, job: str) -> None:
    async def leaving() -> bool:
        return "deletionTimestamp" in (await world.get("Job", namespace, job)).get("metadata", {})

    await until_async(leaving, f"Job {job} is stopped first")
    await world.merge("Job", namespace, job, {"metadata": {"finalizers": None}})
