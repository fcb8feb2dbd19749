"""Looks at a VectorIndex whose server is a real Chroma, against an API server that keeps what is written."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import REGISTRY

from slipway_crds.runtimeconfig import IngestConfig
from slipway_operator.core.cache import Cache, ResourceKey, resource_of
from slipway_operator.core.conditions import epoch, timestamp
from slipway_operator.core.executor import Executor
from slipway_operator.core.kube import KubeClient
from slipway_operator.core.objects import object_kind
from slipway_operator.core.projections import project
from slipway_operator.core.watches import Watches
from slipway_operator.indexes import controller
from slipway_operator.indexes.controller import FINALIZER, RELEASE_SECONDS, IndexController
from slipway_operator.indexes.counting import Counting
from slipway_operator.indexes.ingest import GENERATION_ANNOTATION
from slipway_operator.indexes.ingestion import REPORT_ANNOTATION
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from tests.support import operator_manifests as manifests
from tests.support.controller_dependencies import make_dependencies
from tests.support.index_server import chroma_at, fill, ready_status, server_pod
from tests.support.operator_api import FakeApi, Fault, fake_api
from tests.support.store_keeping import Store
from tests.support.waiting import until

KEY = ResourceKey("VectorIndex", "demo", "handbook")
ADDRESS = "127.0.0.14"
"""Of the server's pod."""
REPORT = {"revision": "r1", "fingerprint": "f", "documents": 2, "chunks": 6, "failed": 0, "failures": []}


class Bench:
    """A controller, and the cluster that it acts on."""

    def __init__(self, api: FakeApi, kube: KubeClient, http: aiohttp.ClientSession, dsn: str) -> None:
        self.api = api
        self.cache = Cache()
        self.enqueued: list[ResourceKey] = []
        self.counting = Counting(http, enqueue=self.enqueued.append)
        self._watches = Watches()
        executor = Executor(kube, self.cache, self._watches, rolls_at_once=1, enqueue=lambda key: None)
        store = Store(api, kube, dsn, cache=self.cache)
        store.namespace("demo")
        dependencies = make_dependencies(
            kube, cache=self.cache, executor=executor, store=store.keeper, http=http, enqueue=self.enqueued.append
        )
        self.controller = IndexController(dependencies, self.counting)

    def put(self, raw: dict[str, Any]) -> None:
        """An object as the API server and the cache have it."""
        metadata = raw["metadata"] = {"namespace": "demo", **raw["metadata"]}
        path = object_kind(raw["kind"]).path("demo", metadata["name"])
        self.api._store(path, raw)
        if raw["kind"] == KEY.kind:
            self.cache.put_resource(resource_of(KEY.kind, self.api.objects[path]))
        else:
            self.cache.put_child(project(raw["kind"], self.api.objects[path]))

    @property
    def statuses(self) -> int:
        """How often the index's status was written."""
        return sum("/status?" in path for _, path in self.api.requests)

    def found(self, kind: str) -> list[dict[str, Any]]:
        return [dict(found) for path, found in self.api.objects.items() if f"/{object_kind(kind).plural}/" in path]

    def forget_what_is_gone(self) -> None:
        """As the watches would tell."""
        names = {(each["kind"], each["metadata"]["name"]) for each in self.api.objects.values() if "kind" in each}
        for child in self.cache.children(KEY):
            if (child.kind, child.name) not in names:
                self.cache.drop_child(child.key, child.uid)

    def finalizers(self) -> list[str]:
        (index,) = self.found(KEY.kind)
        return list(index["metadata"].get("finalizers") or ())

    async def look(self, *, counted: bool = False) -> tuple[str, str]:
        """Look once, or until what this look has counted is known. Returns status and reason of Ready."""
        before = len(self.enqueued)
        await self.controller.reconcile(KEY)
        if counted:
            await until(lambda: len(self.enqueued) > before, "it is counted")
            await self.controller.reconcile(KEY)
        return self.ready()

    def ready(self) -> tuple[str, str]:
        (index,) = self.found(KEY.kind)
        (ready,) = [each for each in index["status"]["conditions"] if each["type"] == "Ready"]
        return ready["status"], ready["reason"]

    def finish(self, job: dict[str, Any]) -> None:
        """The Job succeeds."""
        annotations = {**job["metadata"]["annotations"], REPORT_ANNOTATION: json.dumps(REPORT)}
        complete = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-15T09:00:00Z"}
        metadata = {**job["metadata"], "annotations": annotations}
        self.put({**job, "metadata": metadata, "status": {"conditions": [complete]}})

    def start_server(self, uid: str) -> None:
        """The StatefulSet's pod is ready."""
        (stateful_set,) = self.found("StatefulSet")
        self.put({**stateful_set, "status": {"readyReplicas": 1}})
        pod = server_pod(stateful_set)
        pod["metadata"]["uid"] = uid
        self.put({**pod, "status": ready_status(ADDRESS, since="2026-01-15T10:00:00Z")})


@pytest.fixture
async def bench(postgres_dsn: str) -> AsyncIterator[Bench]:
    async with fake_api() as (api, kube), aiohttp.ClientSession() as http:
        made = Bench(api, kube, http, postgres_dsn)
        counting = asyncio.create_task(made.counting.work_forever())
        made.put({**manifests.index("demo"), "metadata": {"name": "handbook", "generation": 1}})
        made.cache.put_config_map("demo", "documents", "1")
        yield made
        counting.cancel()
        with suppress(asyncio.CancelledError):
            await counting


@pytest.fixture
async def chroma(tmp_path: Path) -> AsyncIterator[ChromaServer]:
    """A client of what listens where the server's pod seems to be."""
    async with chroma_at(ADDRESS, tmp_path) as client:
        yield client


async def test_when_the_sources_were_ingested_is_a_metric(bench: Bench, chroma: ChromaServer) -> None:
    await fill(chroma, "demo", 6)
    await bench.look()
    bench.start_server("first")
    await bench.look()
    (job,) = bench.found("Job")
    bench.finish(job)
    await bench.look(counted=True)
    labels = {"namespace": "demo", "index": "handbook"}
    name = "slipway_index_last_synced_timestamp_seconds"
    assert REGISTRY.get_sample_value(name, labels) == epoch("2026-01-15T09:00:00Z")
    resource = bench.cache.resource(KEY)
    assert resource is not None
    bench.cache.drop_resource(KEY, resource.uid)
    await bench.controller.reconcile(KEY)
    assert REGISTRY.get_sample_value(name, labels) is None


async def test_a_running_ingestion_is_asked_every_ten_seconds_how_far_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def progress_of(_: aiohttp.ClientSession, ip: str) -> str:
        asked.append(ip)
        return f"{len(asked)}/9 documents"

    now = time.time()
    monkeypatch.setattr(controller, "progress_of", progress_of)
    monkeypatch.setattr(time, "time", lambda: now)
    await bench.look()
    bench.start_server("first")
    await bench.look()
    (job,) = bench.found("Job")
    labels = {**job["metadata"]["labels"], "batch.kubernetes.io/job-name": job["metadata"]["name"]}
    status = {"phase": "Running", "podIP": "10.0.0.9"}
    bench.put({"kind": "Pod", "metadata": {"name": "ingest", "uid": "p", "labels": labels}, "status": status})
    said = []
    for seconds in (0.0, 4.0, 5.9, 0.2):
        now += seconds
        await bench.look()
        (index,) = bench.found(KEY.kind)
        said.append(index["status"]["progress"])
    assert said == ["1/9 documents", "1/9 documents", "1/9 documents", "2/9 documents"]


async def test_lost_vectors_start_one_new_job(bench: Bench, chroma: ChromaServer) -> None:
    await fill(chroma, "demo", 6)
    await bench.look()
    bench.start_server("first")
    await bench.look()
    (job,) = bench.found("Job")
    bench.finish(job)
    assert await bench.look(counted=True) == ("True", "Serving")
    written = bench.statuses
    await bench.look()
    assert bench.statuses == written, "there is nothing new to write"

    await chroma.drop("demo.handbook.r1")
    bench.start_server("second")
    assert await bench.look(counted=True) == ("False", "IndexLost")
    (stateful_set,) = bench.found("StatefulSet")
    assert stateful_set["metadata"]["annotations"][GENERATION_ANNOTATION] == "1"
    for _ in range(3):
        assert await bench.look() == ("False", "IndexLost"), "until the new Job is done"
    (again,) = [found for found in bench.found("Job") if found["metadata"]["name"] != job["metadata"]["name"]]
    await fill(chroma, "demo", 6)
    bench.finish(again)
    assert await bench.look(counted=True) == ("True", "Serving")
    assert [found["metadata"]["name"] for found in bench.found("Job")] == [again["metadata"]["name"]]


async def test_a_server_that_does_not_answer_has_lost_nothing(bench: Bench) -> None:
    await bench.look()
    bench.start_server("first")
    await bench.look()
    (job,) = bench.found("Job")
    bench.finish(job)
    assert await bench.look(counted=True) == ("True", "Serving")
    bench.start_server("second")
    assert await bench.look(counted=True) == ("True", "Serving")
    assert len(bench.found("Job")) == 1


async def test_vectors_elsewhere_are_deleted_by_a_job_before_the_index_goes(bench: Bench) -> None:
    made = manifests.index("demo", backend={"pgvector": {}}, deletionPolicy="Delete")
    metadata = {"name": "handbook", "generation": 1, "uid": "uid-handbook"}
    bench.put({**made, "metadata": metadata})
    assert await bench.look() == ("False", "Ingesting")
    assert len(bench.found("Job")) == 1
    (stored,) = bench.found(KEY.kind)
    assert stored["metadata"]["finalizers"] == [FINALIZER]
    deleting = {"deletionTimestamp": timestamp(time.time()), **stored["metadata"]}
    bench.put({**stored, "metadata": deleting})
    await bench.controller.reconcile(KEY)
    bench.forget_what_is_gone()
    assert bench.found("Job") == []
    await bench.controller.reconcile(KEY)
    (purge,) = bench.found("Job")
    (config_map,) = [each for each in bench.found("ConfigMap") if each["metadata"]["name"] == purge["metadata"]["name"]]
    config = IngestConfig.model_validate_json(config_map["data"]["config.json"])
    assert (config.purge, config.sources, config.vectors.kind) == (True, (), "pgvector")
    await bench.controller.reconcile(KEY)
    assert bench.finalizers() == [FINALIZER], "until the Job has succeeded"
    complete = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-15T09:00:00Z"}
    bench.put({**purge, "status": {"conditions": [complete]}})
    await bench.controller.reconcile(KEY)
    assert bench.finalizers() == []


async def test_a_purge_that_fails_lets_the_index_go_after_ten_minutes_and_says_so(bench: Bench) -> None:
    made = manifests.index("demo", backend={"pgvector": {}}, deletionPolicy="Delete")
    long_ago = timestamp(time.time() - RELEASE_SECONDS - 1)
    metadata = {"name": "handbook", "generation": 1, "finalizers": [FINALIZER], "deletionTimestamp": long_ago}
    bench.put({**made, "metadata": metadata})
    await bench.controller.reconcile(KEY)
    assert bench.finalizers() == []
    (event,) = bench.found("Event")
    assert event["reason"] == "NotPurged"
    assert "the Job that deletes its vectors is not over" in event["message"]


async def test_a_refusal_is_read_from_the_events_of_the_server(bench: Bench) -> None:
    """Everything on this API server was made long ago, so its pod is due."""
    await bench.controller.reconcile(KEY)
    event = {"reason": "FailedCreate", "message": "exceeded quota", "lastTimestamp": "2026-01-15T08:00:01Z"}
    bench.api.objects["/api/v1/namespaces/demo/events/e"] = event
    assert await bench.look() == ("False", "PodsRefused")
    bench.api.faults.append(Fault(403, "Forbidden"))
    assert await bench.look() == ("False", "WaitingForPods"), "without the right to read it, less is known"
    assert await bench.look() == ("False", "PodsRefused")
    bench.start_server("first")
    assert (await bench.look())[1] != "PodsRefused"
