"""The life of agents and indexes on a real API server: made in any order, changed, paused, scaled, put down."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.operator_manifests import agent, documents, index
from tests.support.operator_process import OperatorProcess
from tests.support.operator_steps import ready, revisions, until_states
from tests.support.operator_world import World, now_for_audit
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_both_kinds_become_ready_from_any_order(
    world: World, namespace: str, operator: OperatorProcess, order: tuple[int, ...]
) -> None:
    manifests = [documents(namespace), index(namespace), agent(namespace)]
    async with world.controllers(namespace):
        for position in order:
            await world.apply(manifests[position])
        await world.until_condition("VectorIndex", namespace, "handbook")
        await world.until_condition("Agent", namespace, "support")
    status = (await world.get("VectorIndex", namespace, "handbook"))["status"]
    assert (status["phase"], status["documents"], status["chunks"], status["failed"]) == ("Ready", 2, 6, 0)
    status = (await world.get("Agent", namespace, "support"))["status"]
    assert status["phase"] == "Ready"
    assert status["url"].endswith(f"/agents/{namespace}/support")


async def test_what_is_missing_is_waited_for_and_named(world: World, namespace: str, operator: OperatorProcess) -> None:
    async with world.controllers(namespace):
        await world.apply(agent(namespace))
        waiting = await world.until_condition("Agent", namespace, "support", status="False", reason="WaitingForIndex")
        assert "there is no VectorIndex handbook" in waiting["message"]
        await world.apply(index(namespace))
        waiting = await world.until_condition(
            "VectorIndex", namespace, "handbook", status="False", reason="WaitingForSource"
        )
        assert "there is no ConfigMap documents" in waiting["message"]
        for kind, name in (("Agent", "support"), ("VectorIndex", "handbook")):
            assert await world.condition(kind, namespace, name, "Stalled") == {}
        await world.apply(documents(namespace))
        await world.until_condition("Agent", namespace, "support")


async def test_an_edit_that_changes_answers_takes_over_only_when_it_can(
    world: World, namespace: str, operator: OperatorProcess
) -> None:
    async with world.controllers(namespace):
        await ready(world, namespace)
        (old,) = await revisions(world, namespace)
        world.outcomes.available = lambda name: name == old
        await world.apply(agent(namespace, min_score="0.6"))
        found = await until_states(world, namespace, "Serving", "Candidate")
        assert found[old] == "Serving"
        assert (await world.condition("Agent", namespace, "support"))["status"] == "True"
        assert (await world.condition("Agent", namespace, "support", "Reconciling"))["reason"] == "NewRevisionStarting"
        world.outcomes.available = lambda name: True
        found = await until_states(world, namespace, "Serving", "Retiring")
        assert found[old] == "Retiring"
        assert await world.get("Deployment", namespace, old), "answers under way are not cut off"
        found = await until_states(world, namespace, "Serving")
        assert old not in found
        for kind in ("Deployment", "Service", "ConfigMap"):
            await until_async(lambda kind=kind: _is_gone(world, kind, namespace, old), f"its {kind} goes, too")  # type: ignore[misc]


async def test_a_newer_spec_cancels_a_candidate_and_going_back_is_cheap(
    world: World, namespace: str, operator: OperatorProcess
) -> None:
    async with world.controllers(namespace):
        await ready(world, namespace)
        (old,) = await revisions(world, namespace)
        world.outcomes.available = lambda name: name == old
        await world.apply(agent(namespace, min_score="0.6"))
        first = await until_states(world, namespace, "Serving", "Candidate")
        await world.apply(agent(namespace, min_score="0.7"))

        async def replaced() -> bool:
            found = await revisions(world, namespace)
            return len(found) == 2 and set(found) != set(first)

        await until_async(replaced, "the first candidate is cancelled")
        await world.apply(agent(namespace))
        assert await until_states(world, namespace, "Serving") == {old: "Serving"}


async def test_pausing_stops_everything_and_says_so(world: World, namespace: str, operator: OperatorProcess) -> None:
    async with world.controllers(namespace):
        await ready(world, namespace)
        paused = {"metadata": {"annotations": {"slipway.dev/paused": "true"}}}
        await world.merge("Agent", namespace, "support", paused)
        await world.until_condition("Agent", namespace, "support", condition="Paused")
        since = now_for_audit()
        (name,) = await revisions(world, namespace)
        await world.delete("Service", namespace, name)
        await world.apply(agent(namespace, min_score="0.9"))
        await world.apply(agent(namespace, "witness"))
        await world.until_condition("Agent", namespace, "witness")
        assert [write for write in world.written(since=since, namespace=namespace) if name in write.name] == []
        await world.merge("Agent", namespace, "support", {"metadata": {"annotations": {"slipway.dev/paused": None}}})

        async def caught_up() -> bool:
            return name not in await revisions(world, namespace)

        await until_async(caught_up, "the edit that was made meanwhile is acted on")
        assert await world.condition("Agent", namespace, "support", "Paused") == {}


async def test_who_scales_is_not_fought(world: World, namespace: str, operator: OperatorProcess) -> None:
    async with world.controllers(namespace):
        await ready(world, namespace)
        (name,) = await revisions(world, namespace)

        async def replicas() -> int:
            return int((await world.get("Deployment", namespace, name))["spec"]["replicas"])

        await world.merge("Deployment", namespace, name, {"spec": {"replicas": 4}}, "scale")
        await _looked_again(world, namespace)
        assert await replicas() == 4
        await world.apply(agent(namespace, scaling={"min": 2}))
        await until_async(lambda: _equals(replicas, 2), "the manifest's number is written when it changes")
        await world.merge("Deployment", namespace, name, {"spec": {"replicas": 5}}, "scale")
        await _looked_again(world, namespace)
        assert await replicas() == 5
        await world.apply(agent(namespace, min_score="0.6", scaling={"min": 2}))
        found = await until_states(world, namespace, "Serving", "Retiring")
        name = next(each for each, state in found.items() if state == "Serving")
        assert await replicas() == 5, "a new revision starts with as many pods as the one that it takes over from"


async def test_a_restart_by_hand_is_not_fought(world: World, namespace: str, operator: OperatorProcess) -> None:
    async with world.controllers(namespace):
        await ready(world, namespace)
        (name,) = await revisions(world, namespace)
        stamp = {"kubectl.kubernetes.io/restartedAt": "2027-01-01T00:00:00Z"}
        body = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
        await world.merge("Deployment", namespace, name, body)
        await _looked_again(world, namespace)
        found = await world.get("Deployment", namespace, name)
        assert found["spec"]["template"]["metadata"]["annotations"] == stamp


async def test_a_strangers_object_is_not_taken_over(world: World, namespace: str, operator: OperatorProcess) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "support-agent", "namespace": namespace},
        "automountServiceAccountToken": True,
    }
    await world.apply(account)
    async with world.controllers(namespace):
        for manifest in (documents(namespace), index(namespace), agent(namespace)):
            await world.apply(manifest)
        stalled = await world.until_condition("Agent", namespace, "support", condition="Stalled", reason="NameTaken")
        assert "ServiceAccount support-agent" in stalled["message"]
        found = await world.get("ServiceAccount", namespace, "support-agent")
        assert found["automountServiceAccountToken"] is True
        await world.delete("ServiceAccount", namespace, "support-agent")
        await world.until_condition("Agent", namespace, "support")
        assert await world.condition("Agent", namespace, "support", "Stalled") == {}


async def test_an_agent_that_has_an_autoscaler_loses_it_with_the_field(
    world: World, namespace: str, operator: OperatorProcess
) -> None:
    async with world.controllers(namespace):
        await ready(world, namespace)
        await world.apply(agent(namespace, scaling={"min": 2, "max": 4}))
        await until_async(lambda: world.get("HorizontalPodAutoscaler", namespace, "support-agent"), "there is one")
        found = await world.get("HorizontalPodAutoscaler", namespace, "support-agent")
        assert found["spec"]["minReplicas"] == 2
        assert found["spec"]["scaleTargetRef"]["name"] in await revisions(world, namespace)
        await world.apply(agent(namespace))
        await until_async(lambda: _is_gone(world, "HorizontalPodAutoscaler", namespace, "support-agent"), "it is gone")


async def _looked_again(world: World, namespace: str) -> None:
    """The operator has seen what happened: it has made right something that was spoilt after it."""
    await world.delete("PodDisruptionBudget", namespace, "support-agent")
    await until_async(lambda: world.get("PodDisruptionBudget", namespace, "support-agent"), "it looked")
    await asyncio.sleep(0)


async def _equals(ask: Callable[[], Any], value: Any) -> bool:
    return bool(await ask() == value)


async def _is_gone(world: World, kind: str, namespace: str, name: str) -> bool:
    return not await world.get(kind, namespace, name)
