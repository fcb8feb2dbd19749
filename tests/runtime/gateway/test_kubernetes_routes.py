"""Routes follow Agents and EndpointSlices, through everything that happens to a watch."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tenacity import wait_fixed

from slipway_runtime import retrying
from slipway_runtime.gateway import kubernetes_api, reflector
from slipway_runtime.gateway.kubernetes_api import KubernetesApi
from slipway_runtime.gateway.kubernetes_routes import (
    AGENTS_PATH,
    SLICES_PATH,
    KubernetesRoutes,
    describe,
    reach,
    read_slice,
    serving_revision,
)
from slipway_runtime.gateway.metrics import WATCH_RESTARTS
from slipway_runtime.gateway.routes import AgentAccess, AgentKey, Description, PodEndpoint, Reach, RouteTable
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.waiting import until

SUPPORT = AgentKey("demo", "support")
Object = dict[str, Any]


def agent(*revisions: tuple[str, int], name: str = "support", namespace: str = "demo") -> Object:
    status = {"revisions": [{"name": revision, "weight": weight, "state": "x"} for revision, weight in revisions]}
    return {"metadata": {"namespace": namespace, "name": name}, "status": status if revisions else {}}


def endpoint(*addresses: str, **conditions: bool) -> Object:
    return {"addresses": list(addresses), "conditions": conditions}


def slice_of(
    revision: str, *endpoints: Object, name: str = "", namespace: str = "demo", agent: str = "support"
) -> Object:
    labels = {"slipway.dev/agent": agent, "slipway.dev/revision": revision}
    return {
        "metadata": {"namespace": namespace, "name": name or f"{revision}-x", "labels": labels},
        "ports": [{"name": "metrics", "port": 9090}, {"name": "http", "port": 8080}],
        "endpoints": list(endpoints),
    }


@pytest.mark.parametrize(
    ("found", "revision"),
    [
        (agent(), None),
        ({"metadata": {}}, None),
        (agent(("a", 0)), None),
        (agent(("a", 100)), "a"),
        (agent(("a", 0), ("b", 100)), "b"),
        (agent(("a", 95), ("b", 5)), "a"),
    ],
)
def test_the_serving_revision(found: Object, revision: str | None) -> None:
    assert serving_revision(found) == revision


@pytest.mark.parametrize(
    ("more", "waits"),
    [({}, False), ({"approvals": [{"tool": "ask-hr"}]}, True), ({"architecture": "custom"}, True)],
)
def test_whom_an_agent_may_ask_and_for_how_long(more: Object, waits: bool) -> None:
    spec = {"tools": [{"name": "ask-hr", "agentRef": {"name": "hr"}}], "limits": {"requestTimeout": "5m"}, **more}
    found = reach({"metadata": {"namespace": "demo", "name": "support"}, "spec": spec})
    assert found == Reach(frozenset({AgentKey("demo", "hr")}), 300.0, waits)
    assert found.grant_seconds == (1800 if waits else 300)


def test_what_the_list_says_of_an_agent() -> None:
    assert describe(agent()) == Description(None, None, "Unknown")
    found = agent(("a", 95), ("b", 5))
    found["status"]["phase"] = "Degraded"
    brought = ("complex_workflow", "state_management")
    plain = Description("langgraph", "a", "Degraded", "", brought)
    assert describe({**found, "spec": {"architecture": "langgraph"}}) == plain
    spec = {"architecture": "langgraph", "description": "Returns.", "capabilities": []}
    assert describe({**found, "spec": spec}) == Description("langgraph", "a", "Degraded", "Returns.", ())


@pytest.mark.parametrize(
    ("found", "urls"),
    [
        (slice_of("a"), set()),
        (slice_of("a", endpoint("10.0.0.1", ready=True)), {"http://10.0.0.1:8080"}),
        (slice_of("a", endpoint("10.0.0.1")), {"http://10.0.0.1:8080"}),
        (slice_of("a", endpoint("10.0.0.1", ready=False, terminating=True, serving=True)), set()),
        (slice_of("a", endpoint("fd00::1", ready=True)), {"http://[fd00::1]:8080"}),
        (slice_of("a", endpoint("10.0.0.1"), endpoint("10.0.0.2")), {"http://10.0.0.1:8080", "http://10.0.0.2:8080"}),
        (slice_of("a") | {"endpoints": None, "ports": None}, set()),
    ],
)
def test_the_ready_end_points_of_a_slice(found: Object, urls: set[str]) -> None:
    part = read_slice(found)
    assert part
    assert (part.agent, part.revision, set(part.urls)) == (SUPPORT, "a", urls)


def test_a_slice_with_a_port_for_tls_is_called_by_it_where_the_installation_has_tls() -> None:
    found = slice_of("a", endpoint("10.0.0.1"))
    both = found | {"ports": [*found["ports"], {"name": "https", "port": 8443}]}
    urls = [part.urls for part in (read_slice(both, tls=True), read_slice(both), read_slice(found, tls=True)) if part]
    assert urls == [{"https://10.0.0.1:8443"}, {"http://10.0.0.1:8080"}, {"http://10.0.0.1:8080"}]


def test_a_slice_of_something_else_is_none_of_ours() -> None:
    assert read_slice({"metadata": {"namespace": "demo", "name": "x", "labels": {"slipway.dev/index": "y"}}}) is None


class Followed:
    """A route table that follows the fake cluster."""

    def __init__(self, api: KubernetesApi) -> None:
        self.routes = RouteTable()
        self.source = KubernetesRoutes(api, self.routes)

    def urls(self, key: AgentKey = SUPPORT) -> set[str] | None:
        if key not in self.routes:
            return None
        found: set[str] = set()
        avoid: list[PodEndpoint] = []
        while picked := self.routes.pick(key, avoid=avoid):
            avoid.append(picked)
            found.add(picked.url)
        return found

    async def become(self, urls: set[str] | None, key: AgentKey = SUPPORT) -> None:
        await until(lambda: self.urls(key) == urls, f"{key} served by {urls}, not by {self.urls(key)}")


@pytest.fixture
async def followed(cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followed]:
    from kubernetes.aio.client import ApiClient, Configuration

    monkeypatch.setattr(retrying, "WATCH", wait_fixed(0.01))
    api = KubernetesApi(ApiClient(Configuration(host=cluster.url)))
    followed = Followed(api)
    async with followed.source.following():
        yield followed
    await api.close()


ONE, TWO, THREE = ({f"http://10.0.0.{n}:8080"} for n in (1, 2, 3))


async def test_who_may_use_an_agent_follows_its_manifest(cluster: FakeKubernetes, followed: Followed) -> None:
    closed = {**agent(), "spec": {"access": {"groups": ["staff"]}}}
    cluster.apply(AGENTS_PATH, closed)
    await followed.become(set())
    assert followed.routes.access(SUPPORT) == AgentAccess(frozenset({"staff"}))
    cluster.apply(AGENTS_PATH, agent())
    await until(lambda: followed.routes.access(SUPPORT) == AgentAccess(), "everybody may use it")


async def test_routes_come_and_go_with_objects(cluster: FakeKubernetes, followed: Followed) -> None:
    cluster.apply(AGENTS_PATH, agent())
    await followed.become(set())
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1", ready=True)))
    cluster.apply(AGENTS_PATH, agent(("a", 100)))
    await followed.become(ONE)
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1", ready=True), endpoint("10.0.0.2", ready=True)))
    await followed.become(ONE | TWO)
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1", ready=False), endpoint("10.0.0.2", ready=True)))
    await followed.become(TWO)
    cluster.delete(SLICES_PATH, "demo", "a-x")
    await followed.become(set())
    cluster.delete(AGENTS_PATH, "demo", "support")
    await followed.become(None)


async def test_a_switch_of_revisions_moves_new_questions(cluster: FakeKubernetes, followed: Followed) -> None:
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1")))
    cluster.apply(SLICES_PATH, slice_of("b", endpoint("10.0.0.2")))
    cluster.apply(SLICES_PATH, slice_of("b", endpoint("10.0.0.3"), name="b-y"))
    cluster.apply(AGENTS_PATH, agent(("a", 100), ("b", 0)))
    await followed.become(ONE)
    cluster.apply(AGENTS_PATH, agent(("b", 100), ("a", 0)))
    await followed.become(TWO | THREE)


async def test_replaced_revisions_answer_while_they_retire(cluster: FakeKubernetes, followed: Followed) -> None:
    for name, address in (("a", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3")):
        cluster.apply(SLICES_PATH, slice_of(name, endpoint(address)))
    status = agent(("b", 100), ("a", 0), ("c", 0), ("d", 0))
    states = ("Serving", "Retiring", "Candidate", "Retiring")
    for each, state in zip(status["status"]["revisions"], states, strict=True):
        each["state"] = state
    cluster.apply(AGENTS_PATH, status)
    await followed.become(TWO)
    assert followed.routes.retiring(SUPPORT) == ["a"]
    cluster.delete(SLICES_PATH, "demo", "a-x")
    await until(lambda: not followed.routes.retiring(SUPPORT), "the revision is gone")


async def test_equal_names_in_two_namespaces_stay_apart(cluster: FakeKubernetes, followed: Followed) -> None:
    for namespace, address in (("demo", "10.0.0.1"), ("other", "10.0.0.2")):
        cluster.apply(AGENTS_PATH, agent(("a", 100), namespace=namespace))
        cluster.apply(SLICES_PATH, slice_of("a", endpoint(address), namespace=namespace))
    await followed.become(ONE)
    await followed.become(TWO, AgentKey("other", "support"))


async def test_not_ready_before_the_first_lists(
    cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch, followed: Followed
) -> None:
    await until(lambda: followed.source.missing() is None, "both collections listed")
    from kubernetes.aio.client import ApiClient, Configuration

    cluster.refuse_with = 403
    api = KubernetesApi(ApiClient(Configuration(host=cluster.url)))
    late = Followed(api)
    assert "not been read" in (late.source.missing() or "")
    async with late.source.following():
        await until(lambda: "403" in (late.source.missing() or ""), "the refusal named")
        cluster.refuse_with = None
        await until(lambda: late.source.missing() is None, "both collections listed")
    await api.close()


async def test_broken_watches_go_on_where_they_were(cluster: FakeKubernetes, followed: Followed) -> None:
    cluster.apply(AGENTS_PATH, agent(("a", 100)))
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1")))
    await followed.become(ONE)
    cluster.requests.clear()
    await cluster.drop_watches()
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.2")))
    await followed.become(TWO)
    assert "watch " + SLICES_PATH in cluster.requests
    assert "list " + SLICES_PATH not in cluster.requests


async def test_a_server_that_is_away_leaves_the_last_routes(cluster: FakeKubernetes, followed: Followed) -> None:
    cluster.apply(AGENTS_PATH, agent(("a", 100)))
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1")))
    await followed.become(ONE)
    restarts = WATCH_RESTARTS.labels("agents", "error")
    before = restarts._value.get()
    await cluster.stop()
    await until(lambda: restarts._value.get() >= before + 3, "some failed attempts")
    assert followed.urls() == ONE
    assert followed.source.missing() is None
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.2")))
    await cluster.start()
    await followed.become(TWO)


async def test_a_version_that_is_too_old_means_listing_anew(cluster: FakeKubernetes, followed: Followed) -> None:
    cluster.apply(AGENTS_PATH, agent(("a", 100)))
    cluster.apply(AGENTS_PATH, agent(("a", 100), name="gone"))
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1")))
    await followed.become(ONE)
    await cluster.stop()
    cluster.delete(AGENTS_PATH, "demo", "gone")
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.2")))
    cluster.oldest = cluster.version + 1
    cluster.version += 10
    await cluster.start()
    await followed.become(TWO)
    await followed.become(None, AgentKey("demo", "gone"))


async def test_a_watch_that_falls_silent_is_begun_again(
    cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch, followed: Followed
) -> None:
    cluster.apply(AGENTS_PATH, agent(("a", 100)))
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1")))
    await followed.become(ONE)
    cluster.silent = True
    monkeypatch.setattr(kubernetes_api, "SILENCE_SECONDS", 0.05)
    await cluster.drop_watches()
    silent = WATCH_RESTARTS.labels("endpointslices", "silent")
    before = silent._value.get()
    await until(lambda: silent._value.get() > before, "a silent watch noticed")
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.2")))
    await followed.become(TWO)


async def test_an_event_that_is_cut_off_is_asked_for_again(cluster: FakeKubernetes, followed: Followed) -> None:
    cluster.apply(AGENTS_PATH, agent(("a", 100)))
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1")))
    await followed.become(ONE)
    cluster.cut_next_watch = True
    await cluster.drop_watches()
    await until(lambda: not cluster.cut_next_watch, "a watch was cut off")
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.2")))
    await followed.become(TWO)


async def test_a_lost_event_is_not_lost_for_ever(
    cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch, followed: Followed
) -> None:
    cluster.apply(AGENTS_PATH, agent(("a", 100)))
    cluster.apply(SLICES_PATH, slice_of("a", endpoint("10.0.0.1")))
    await followed.become(ONE)
    await until(lambda: "watch " + SLICES_PATH in cluster.requests, "the watch is open")
    cluster.lose_event(SLICES_PATH, slice_of("a", endpoint("10.0.0.2")))
    monkeypatch.setattr(reflector, "RESYNC_SECONDS", 0.0)
    await cluster.drop_watches()
    await followed.become(TWO)


async def test_following_ends_with_its_block(cluster: FakeKubernetes) -> None:
    from kubernetes.aio.client import ApiClient, Configuration

    api = KubernetesApi(ApiClient(Configuration(host=cluster.url)))
    async with asyncio.timeout(10):
        async with KubernetesRoutes(api, RouteTable()).following():
            pass
    await api.close()
