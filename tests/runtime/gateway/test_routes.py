"""Who gets the next request, and who wakes up when a pod becomes ready."""

import asyncio

import pytest

from slipway_runtime.gateway.routes import AgentKey, PodEndpoint, RouteTable

SUPPORT = AgentKey("demo", "support")
A, B, C = "http://10.0.0.1:8080", "http://10.0.0.2:8080", "http://10.0.0.3:8080"


def picked(routes: RouteTable, *avoid: PodEndpoint) -> PodEndpoint:
    endpoint = routes.pick(SUPPORT, avoid=avoid)
    assert endpoint
    return endpoint


def test_the_least_busy_pod_is_next() -> None:
    routes = RouteTable()
    routes.set(SUPPORT, [A, B, C])
    with picked(routes).busy(), picked(routes).busy(), picked(routes).busy():
        assert {routes.pick(SUPPORT).in_flight} == {1}  # type: ignore[union-attr]
    assert picked(routes).in_flight == 0


def test_pods_to_avoid_are_avoided() -> None:
    routes = RouteTable()
    routes.set(SUPPORT, [A, B])
    first = picked(routes)
    second = picked(routes, first)
    assert {first.url, second.url} == {A, B}
    assert routes.pick(SUPPORT, avoid=[first, second]) is None


def test_a_pod_that_stays_keeps_its_count_and_one_that_goes_gets_nothing_new() -> None:
    routes = RouteTable()
    routes.set(SUPPORT, [A])
    old = picked(routes)
    with old.busy():
        routes.set(SUPPORT, [A, B])
        assert picked(routes).url == B
        routes.set(SUPPORT, [B])
        assert picked(routes).url == B
        assert old.in_flight == 1


def test_a_replaced_revision_is_asked_by_its_name_only() -> None:
    routes = RouteTable()
    routes.set(SUPPORT, [A])
    old = picked(routes)
    with old.busy():
        routes.set(SUPPORT, [B], retiring={"r1": [A]})
        assert picked(routes).url == B
        assert routes.pick(SUPPORT, retiring="r1") is old
        assert old.in_flight == 1
        assert routes.retiring(SUPPORT) == ["r1"]
        assert routes.retiring(SUPPORT, avoid=[old]) == []
    routes.set(SUPPORT, [B])
    assert routes.retiring(SUPPORT) == []
    assert routes.pick(SUPPORT, retiring="r1") is None


def test_agents_of_the_same_name_in_two_namespaces_are_two() -> None:
    routes = RouteTable()
    other = AgentKey("other", "support")
    routes.replace({SUPPORT: [A], other: [B]})
    assert picked(routes).url == A
    assert routes.agents() == {SUPPORT: 1, other: 1}
    routes.replace({other: [B]})
    assert SUPPORT not in routes
    assert routes.pick(SUPPORT) is None


async def test_everybody_who_waits_is_woken_by_the_first_pod() -> None:
    routes = RouteTable()
    routes.set(SUPPORT, [])

    async def wait() -> bool:
        await routes.changed(SUPPORT, within=30)
        return routes.pick(SUPPORT) is not None

    waiting = [asyncio.create_task(wait()) for _ in range(100)]
    await asyncio.sleep(0)
    routes.set(SUPPORT, [A])
    async with asyncio.timeout(5):
        assert all(await asyncio.gather(*waiting))


async def test_waiting_ends_when_the_agent_goes_or_time_is_up() -> None:
    routes = RouteTable()
    routes.set(SUPPORT, [])
    await routes.changed(SUPPORT, within=0.01)
    waiting = asyncio.create_task(routes.changed(SUPPORT, within=30))
    await asyncio.sleep(0)
    routes.remove(SUPPORT)
    async with asyncio.timeout(5):
        await waiting
        await routes.changed(SUPPORT, within=30)


@pytest.mark.parametrize("text", ["", "support", "/support", "demo/", "demo/support/chat"])
def test_what_is_no_agent_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="namespace/name"):
        AgentKey.parse(text)


def test_an_agent_reads_as_it_is_written() -> None:
    assert str(AgentKey.parse("demo/support")) == "demo/support"
