"""Who leads, and when another may."""

import asyncio

import pytest
from tenacity import wait_fixed

from slipway_operator.core import leader, retrying
from slipway_operator.core.kube import KubeClient
from slipway_operator.core.leader import LeaderElection
from tests.support.operator_api import FakeApi, Fault, fake_api
from tests.support.waiting import until

PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases/operator"


def candidate(kube: KubeClient, identity: str) -> LeaderElection:
    return LeaderElection(kube, namespace="system", name="operator", identity=identity)


def holder(api: FakeApi) -> str:
    return str(api.objects[PATH]["spec"]["holderIdentity"])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second's Lease, in place of fifteen."""
    monkeypatch.setattr(leader, "LEASE_SECONDS", 1)
    monkeypatch.setattr(leader, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(leader, "MARGIN_SECONDS", 0.02)
    monkeypatch.setattr(retrying, "LEASE", wait_fixed(0.02))


async def test_the_first_leads_and_the_second_waits_until_it_is_given_back() -> None:
    async with fake_api() as (api, kube):
        one, two = candidate(kube, "one"), candidate(kube, "two")
        await one.acquire()
        waiting = asyncio.create_task(two.acquire())
        holding = asyncio.create_task(one.hold())
        seen = len(api.requests)
        await until(lambda: len(api.requests) > seen + 20, "the second has asked many times")
        assert not waiting.done()
        holding.cancel()
        await one.release()
        async with asyncio.timeout(5):
            await waiting
        assert holder(api) == "two"


async def test_a_leader_that_died_is_replaced_when_its_time_is_over() -> None:
    async with fake_api() as (api, kube):
        await candidate(kube, "dead").acquire()
        async with asyncio.timeout(10):
            await candidate(kube, "next").acquire()
        assert holder(api) == "next"
        assert api.objects[PATH]["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_cannot_renew_gives_up_before_another_may_take_over() -> None:
    async with fake_api() as (api, kube):
        one = candidate(kube, "one")
        await one.acquire()
        api.faults.extend([Fault(500, "InternalError")] * 1000)
        async with asyncio.timeout(5):
            await one.hold()
        assert holder(api) == "one", "it stopped by its own clock"


async def test_a_passing_error_costs_no_leadership() -> None:
    async with fake_api() as (api, kube):
        one = candidate(kube, "one")
        await one.acquire()
        api.faults.extend([Fault(429, "TooManyRequests")] * 3)
        holding = asyncio.create_task(one.hold())
        renewed = api.objects[PATH]["metadata"]["resourceVersion"]
        await until(lambda: api.objects[PATH]["metadata"]["resourceVersion"] != renewed, "it is renewed")
        assert not holding.done()
        holding.cancel()


async def test_a_lease_that_somebody_else_took_is_lost() -> None:
    async with fake_api() as (api, kube):
        one = candidate(kube, "one")
        await one.acquire()
        api.objects[PATH]["spec"]["holderIdentity"] = "other"
        async with asyncio.timeout(5):
            await one.hold()
        assert holder(api) == "other"
