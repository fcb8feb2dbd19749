"""Looks at a Plugin that uses the store, against an API server that keeps what is written, and a real Postgres."""

import importlib.util
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import aiohttp
import pytest
import yaml

from slipway_crds.contract import STORE_DIR
from slipway_operator.core.cache import Cache, ResourceKey, resource_of
from slipway_operator.core.executor import Executor
from slipway_operator.core.kube import KubeClient
from slipway_operator.core.objects import object_kind
from slipway_operator.core.watches import Watches
from slipway_operator.installation.rotation import IdentityRotation
from slipway_operator.plugins.controller import PluginController
from slipway_runtime.plugins.loading.http_app import http_app
from tests.support.controller_dependencies import make_dependencies
from tests.support.operator_api import FakeApi, fake_api
from tests.support.serving import served
from tests.support.store_keeping import Store

FEEDBACK = Path(__file__).parents[3] / "examples" / "plugins" / "feedback"
RATING = {"run_id": "r", "agent": "demo/people", "rating": 4, "comment": "short"}


class WithoutIdentity:
    """Stands for the identity keys, which are another test's matter."""

    async def publish(self, namespace: str) -> None:
        assert namespace == "demo"


class PluginNamespace:
    """A controller, and a namespace with nothing but the example `feedback`, as it is shipped."""

    def __init__(self, api: FakeApi, kube: KubeClient, http: aiohttp.ClientSession, dsn: str) -> None:
        self.api = api
        cache = Cache()
        executor = Executor(kube, cache, Watches(), rolls_at_once=1, enqueue=lambda key: None)
        self.store = Store(api, kube, dsn, cache=cache)
        self.namespace = self.store.namespace("demo")
        dependencies = make_dependencies(
            kube, cache=cache, executor=executor, store=self.store.keeper, http=http, enqueue=lambda key: None
        )
        identity = cast(IdentityRotation, WithoutIdentity())
        self.controller = PluginController(replace(dependencies, identity=identity))
        raw = yaml.safe_load((FEEDBACK / "plugin.yaml").read_text())
        raw["metadata"]["generation"] = 1
        path = object_kind("Plugin").path("demo", "feedback")
        self.api._store(path, raw)
        cache.put_resource(resource_of("Plugin", self.api.objects[path]))

    async def look(self) -> None:
        await self.controller.reconcile(ResourceKey("Plugin", "demo", "feedback"))

    def found(self, kind: str) -> list[dict[str, Any]]:
        return [dict(found) for path, found in self.api.objects.items() if f"/{object_kind(kind).plural}/" in path]

    def ready(self) -> Any:
        (plugin,) = self.found("Plugin")
        (ready,) = [each for each in plugin["status"]["conditions"] if each["type"] == "Ready"]
        return ready


@pytest.fixture
async def around(postgres_dsn: str) -> AsyncIterator[PluginNamespace]:
    async with fake_api() as (api, kube), aiohttp.ClientSession() as http:
        yield PluginNamespace(api, kube, http, postgres_dsn)


def feedback(folder: Path) -> ModuleType:
    """The example's module, for a pod that has its store mounted in this folder."""
    spec = importlib.util.spec_from_file_location("feedback_in_a_pod", FEEDBACK / "feedback.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.STORE_DIR = str(folder)  # type: ignore[attr-defined]
    return module


@pytest.mark.proves("Plugin.python.store")
async def test_feedback_keeps_ratings_in_the_store_of_its_namespace(around: PluginNamespace, tmp_path: Path) -> None:
    await around.look()
    (deployment,) = around.found("Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (secret,) = around.found("Secret")
    assert {"name": "store", "secret": {"secretName": secret["metadata"]["name"]}} in pod["volumes"]
    assert {"name": "store", "mountPath": STORE_DIR, "readOnly": True} in pod["containers"][0]["volumeMounts"]
    login = around.store.keeper.access(around.namespace).login
    assert f"//{login}:" in secret["stringData"]["dsn"]
    (tmp_path / "dsn").write_text(around.store.dsn_of(login))  # the Secret's, at the test's server
    app = http_app("feedback", [feedback(tmp_path).slipway_router({})], {})
    async with served(app) as url, aiohttp.ClientSession(url) as client:
        for rating in (2, 4):
            async with client.post("/ratings", json={**RATING, "rating": rating}) as response:
                assert response.status == 201, await response.text()
        async with client.get("/summary") as response:
            assert await response.json() == {"agents": {"demo/people": {"ratings": 1, "average": 4.0}}}
    schema = around.store.keeper.access(around.namespace).schema
    assert await around.store.as_admin(f"SELECT rating, comment FROM {schema}.plugin_feedback") == [(4, "short")]


async def test_a_plugin_waits_for_the_store_that_it_uses(around: PluginNamespace) -> None:
    around.store.dsn = "postgresql://nobody@127.0.0.1:1/none"
    await around.look()
    assert (around.ready()["status"], around.ready()["reason"]) == ("False", "WaitingForStore")
