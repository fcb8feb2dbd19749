"""Looks at the Workflows of a namespace, against an API server that keeps what is written, and a real Postgres."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import aiohttp
import pytest

from slipway_crds.contract import WORKER, WORKER_KEY_LABEL, engine_schema, key_fingerprint
from slipway_operator.core.cache import Cache, ResourceKey, resource_of
from slipway_operator.core.executor import Executor
from slipway_operator.core.kube import KubeClient
from slipway_operator.core.objects import object_kind
from slipway_operator.core.watches import Watches
from slipway_operator.installation.rotation import IdentityRotation
from slipway_operator.workflows.controller import WorkflowController
from tests.support import operator_manifests as manifests
from tests.support.controller_dependencies import make_dependencies
from tests.support.operator_api import FakeApi, fake_api
from tests.support.store_keeping import Store

STEPS = [{"name": "a", "agentRef": {"name": "support"}}]


class Published:
    """Stands for the identity keys, which are another test's matter."""

    async def publish(self, namespace: str) -> None:
        assert namespace == "demo"


class Namespaced:
    """A controller, and a namespace with an agent that it acts on."""

    def __init__(self, api: FakeApi, kube: KubeClient, http: aiohttp.ClientSession, dsn: str) -> None:
        self.api = api
        self.cache = Cache()
        self.enqueued: list[ResourceKey] = []
        executor = Executor(kube, self.cache, Watches(), rolls_at_once=1, enqueue=lambda key: None)
        self.store = Store(api, kube, dsn, cache=self.cache)
        self.namespace = self.store.namespace("demo")
        dependencies = make_dependencies(
            kube, cache=self.cache, executor=executor, store=self.store.keeper, http=http, enqueue=self.enqueued.append
        )
        identity = cast(IdentityRotation, Published())
        self.controller = WorkflowController(replace(dependencies, identity=identity))
        self.put(manifests.agent("demo"))

    def put(self, raw: dict[str, Any]) -> None:
        """An object as the API server and the cache have it."""
        path = object_kind(raw["kind"]).path("demo", raw["metadata"]["name"])
        self.api._store(path, raw)
        self.cache.put_resource(resource_of(raw["kind"], self.api.objects[path]))

    def workflow(self, name: str) -> ResourceKey:
        metadata = {"name": name, "namespace": "demo", "generation": 1}
        self.put({"kind": "Workflow", "metadata": metadata, "spec": {"steps": STEPS}})
        return ResourceKey("Workflow", "demo", name)

    def drop(self, key: ResourceKey) -> None:
        found = self.api.objects.pop(object_kind(key.kind).path(key.namespace, key.name))
        self.cache.drop_resource(key, found["metadata"]["uid"])

    def found(self, kind: str) -> list[dict[str, Any]]:
        return [dict(found) for path, found in self.api.objects.items() if f"/{object_kind(kind).plural}/" in path]

    def of_workers(self, kind: str) -> dict[str, Any]:
        (found,) = [each for each in self.found(kind) if each["metadata"]["name"].startswith(WORKER)]
        return found


@pytest.fixture
async def namespaced(postgres_dsn: str) -> AsyncIterator[Namespaced]:
    async with fake_api() as (api, kube), aiohttp.ClientSession() as http:
        yield Namespaced(api, kube, http, postgres_dsn)


async def test_a_workflow_gets_workers_with_a_key_and_a_schema_of_the_engine(namespaced: Namespaced) -> None:
    key = namespaced.workflow("report")
    await namespaced.controller.reconcile(key)
    secret, service = namespaced.of_workers("Secret"), namespaced.of_workers("Service")
    fingerprint = key_fingerprint(secret["stringData"]["key"])
    assert service["metadata"]["labels"][WORKER_KEY_LABEL] == fingerprint
    (owner,) = secret["metadata"]["ownerReferences"]
    assert owner["uid"] == namespaced.of_workers("ConfigMap")["metadata"]["uid"]
    pod = namespaced.of_workers("Deployment")["spec"]["template"]["spec"]
    (mounted,) = [each["secret"]["secretName"] for each in pod["volumes"] if each["name"] == "key"]
    assert mounted == secret["metadata"]["name"]
    schema = engine_schema(namespaced.store.keeper.access(namespaced.namespace).schema)
    connection = await namespaced.store.signed_in(namespaced.namespace)
    try:
        await connection.execute(f"CREATE TABLE {schema}.made_by_a_pod (x INT)")
    finally:
        await connection.close()


async def test_another_namespace_cannot_use_the_engines_schema(namespaced: Namespaced) -> None:
    await namespaced.controller.reconcile(namespaced.workflow("report"))
    other = namespaced.store.namespace()
    await namespaced.store.keeper.ensure(other)
    schema = engine_schema(namespaced.store.keeper.access(namespaced.namespace).schema)
    connection = await namespaced.store.signed_in(other)
    try:
        with pytest.raises(Exception, match="permission denied"):
            await connection.execute(f"CREATE TABLE {schema}.intruded (x INT)")
    finally:
        await connection.close()


async def test_the_secret_is_made_once_and_again_with_another_login(namespaced: Namespaced) -> None:
    key = namespaced.workflow("report")
    for _ in range(2):
        await namespaced.controller.reconcile(key)
    first = namespaced.of_workers("Secret")["stringData"]["key"]
    namespaced.store.rotated(namespaced.namespace)
    await namespaced.controller.reconcile(key)
    keys = [each["stringData"]["key"] for each in namespaced.found("Secret") if "key" in each["stringData"]]
    assert len(set(keys)) == 2
    assert first in keys


async def test_when_one_goes_another_is_looked_at_and_shares_no_more(namespaced: Namespaced) -> None:
    first, second = namespaced.workflow("first"), namespaced.workflow("second")
    await namespaced.controller.reconcile(first)
    assert sorted(namespaced.of_workers("ConfigMap")["data"]) == ["first.json", "second.json"]
    namespaced.drop(first)
    await namespaced.controller.reconcile(first)
    assert namespaced.enqueued == [second]
    await namespaced.controller.reconcile(second)
    assert sorted(namespaced.of_workers("ConfigMap")["data"]) == ["second.json"]
    (owner,) = namespaced.of_workers("Deployment")["metadata"]["ownerReferences"]
    assert owner["name"] == "second"


async def test_what_becomes_of_workers_is_a_matter_of_every_workflow_of_the_namespace(namespaced: Namespaced) -> None:
    first, second = namespaced.workflow("first"), namespaced.workflow("second")
    await namespaced.controller.reconcile(first)
    deployment = next(each for each in namespaced.cache.shared("Workflow", "demo") if each.kind == "Deployment")
    changed = replace(deployment, version=deployment.version + 1)
    assert namespaced.cache.put_child(changed) == {first, second}
    assert namespaced.cache.drop_child(changed.key, changed.uid) == {first, second}
