"""Keeping up with ConfigMaps and with what vanished, whatever the watches do."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from slipway_crds.references import Ref
from slipway_operator.core.cache import Cache, ResourceKey, resource_of
from slipway_operator.core.kube import ApiError, KubeClient
from slipway_operator.core.objects import LEASE
from slipway_operator.core.projections import project
from slipway_operator.core.watches import CANARY_SECONDS, ECHO_SECONDS, Watches
from slipway_operator.core.watching import Watching
from tests.support import operator_manifests as manifests
from tests.support.operator_api import FakeApi, Fault, fake_api
from tests.support.operator_objects import deployment
from tests.support.waiting import until

PATH = "/api/v1/namespaces/demo/configmaps"


def watching(kube: KubeClient, cache: Cache, enqueued: list[ResourceKey]) -> Watching:
    return Watching(kube, cache, Watches(), lease_name="lease", enqueue=enqueued.append)


def stored(api: FakeApi, name: str, version: int) -> None:
    metadata = {"name": name, "namespace": "demo", "uid": f"uid-{name}", "resourceVersion": str(version)}
    api.objects[f"{PATH}/{name}"] = {"metadata": metadata}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "demo", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"type": kind, "object": {"metadata": metadata}}


def cache_with_index() -> Cache:
    cache = Cache()
    raw = manifests.index("demo")
    raw["metadata"] |= {"uid": "uid-1", "resourceVersion": "1"}
    cache.put_resource(resource_of("VectorIndex", raw))
    return cache


INDEX = ResourceKey("VectorIndex", "demo", "handbook")


async def test_a_changed_source_wakes_the_index_that_reads_it() -> None:
    async with fake_api() as (api, kube):
        stored(api, "documents", 5)
        stored(api, "unrelated", 6)
        cache, enqueued = cache_with_index(), list[ResourceKey]()
        watch = watching(kube, cache, enqueued)
        since = await watch.fill_config_maps()
        assert enqueued == [INDEX]
        api.watches.append([event("MODIFIED", "unrelated", 8), event("MODIFIED", "documents", 9)])
        api.watches.append([event("DELETED", "documents", 10)])
        task = asyncio.create_task(watch.watch_config_maps_forever(since))
        await until(lambda: len(enqueued) == 3, "changed, then deleted")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert enqueued == [INDEX] * 3
    assert not cache.look(Ref("ConfigMap", "demo", "documents")).exists


async def test_a_watch_that_expired_is_begun_anew_from_a_listing() -> None:
    async with fake_api() as (api, kube):
        stored(api, "documents", 5)
        cache, enqueued = cache_with_index(), list[ResourceKey]()
        watch = watching(kube, cache, enqueued)
        await watch.fill_config_maps()
        del api.objects[f"{PATH}/documents"]
        api.watches.append(Fault(410, "Expired"))
        task = asyncio.create_task(watch.watch_config_maps_forever("1"))
        await until(lambda: len(enqueued) == 2, "what vanished meanwhile is found")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert not cache.look(Ref("ConfigMap", "demo", "documents")).exists


async def test_a_dropped_watch_goes_on_where_it_was() -> None:
    async with fake_api() as (api, kube):
        watch = watching(kube, cache_with_index(), [])
        api.watches.extend([[event("ADDED", "a", 41)], [event("BOOKMARK", "", 57)]])
        task = asyncio.create_task(watch.watch_config_maps_forever("40"))
        desired = [("WATCH", "40"), ("WATCH", "41"), ("WATCH", "57")]
        await until(lambda: api.requests == desired, "each goes on from the last version that was seen")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_sweep_drops_what_vanished_unseen() -> None:
    async with fake_api() as (api, kube):
        cache, enqueued = Cache(), list[ResourceKey]()
        cache.put_child(project("Deployment", deployment("support-1")))
        watch = watching(kube, cache, enqueued)
        for kind in ("agents", "vectorindexes"):
            api.objects[f"/apis/slipway.dev/v1alpha1/{kind}"] = {
                "metadata": {"resourceVersion": "1"},
                "items": [],
            }
        await watch.sweep()
    assert cache.child("Deployment", "demo", "support-1") is None
    assert enqueued == [ResourceKey("Agent", "demo", "support")]


async def test_a_missing_kind_is_an_error_at_the_start() -> None:
    async with fake_api() as (api, kube):
        api.faults.append(Fault(404, "NotFound"))
        with pytest.raises(ApiError):
            await watching(kube, Cache(), []).fill()


def test_watching_has_stalled_when_our_own_lease_is_silent() -> None:
    moment = 0.0
    watches = Watches(clock=lambda: moment)
    moment = 1000.0
    assert watches.stalled() == "", "a replica that only waits watches nothing"
    watches.start_canary()
    moment += CANARY_SECONDS - 1
    assert watches.stalled() == ""
    watches.touch(LEASE.name, 1)
    moment += CANARY_SECONDS - 1
    assert watches.stalled() == ""
    moment += 2
    assert "Lease" in watches.stalled()


def test_watching_has_stalled_when_our_own_writes_do_not_come_back() -> None:
    moment = 0.0
    watches = Watches(clock=lambda: moment)
    watches.expect("Service", 3)
    watches.touch("Service", 4)
    watches.expect("Deployment", 7)
    watches.touch("Deployment", 6)
    moment += ECHO_SECONDS + 1
    assert "Deployment" in watches.stalled()
    watches.touch("Deployment", 9)
    assert watches.stalled() == ""


def test_a_write_whose_event_came_before_its_answer_is_not_waited_for() -> None:
    moment = 0.0
    watches = Watches(clock=lambda: moment)
    watches.touch("Service", 8)
    watches.expect("Service", 8)
    watches.expect("Service", 5)
    moment += 10 * ECHO_SECONDS
    assert watches.stalled() == "", "a write that changed nothing has no event either"
