"""What users put on pods, on a real API server: what it refuses is reported, what it takes costs no second write."""

from typing import Any

import pytest

from tests.support.operator_manifests import POD, agent, documents, index
from tests.support.operator_process import OperatorProcess
from tests.support.operator_steps import revisions, until_states
from tests.support.operator_world import World, now_for_audit
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster

REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"tolerations": [{"key": "a", "operator": "Equals"}]}, 'Unsupported value: "Equals"'),
    ({"tolerations": [{"kee": "a"}]}, "tolerations[0].kee: field not declared in schema"),
    ({"affinity": {"nodeAffinity": []}}, "nodeAffinity: expected map"),
    ({"nodeSelector": {"a b": "c"}}, 'Invalid value: "a b"'),
    ({"labels": {"team": "search and find"}}, "spec.template.labels"),
    ({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone"}]}, "whenUnsatisfiable"),
)


async def test_what_the_api_server_refuses_is_reported_until_it_is_corrected(
    world: World, namespace: str, operator: OperatorProcess
) -> None:
    async with world.controllers(namespace):
        await world.both_ready(namespace)
        (serving,) = await revisions(world, namespace)
        for pod, says in REFUSED:
            await world.apply(agent(namespace, pod=pod))
            await _until_refused(world, "Agent", namespace, "support", says)
            status = (await world.get("Agent", namespace, "support"))["status"]
            assert status["phase"] == "Degraded", "the pods of before serve"
            assert await revisions(world, namespace) == {serving: "Serving"}
        await world.apply(agent(namespace, pod={"labels": {"team": "search"}}))
        await _until_healed(world, "Agent", namespace, "support")
        template = (await world.get("Deployment", namespace, serving))["spec"]["template"]
        assert template["metadata"]["labels"]["team"] == "search", "the pods of the same revision are replaced"
        await until_states(world, namespace, "Serving")


async def test_the_same_holds_for_an_indexs_server_and_its_ingestions(
    world: World, namespace: str, operator: OperatorProcess
) -> None:
    pod, says = REFUSED[0]
    async with world.controllers(namespace):
        await world.apply(documents(namespace))
        await world.apply(index(namespace, pod=pod))
        message = await _until_refused(world, "VectorIndex", namespace, "handbook", says)
        assert message.endswith("Correct spec.pod.")
        await world.apply(index(namespace, ingestion={"pod": pod}))
        await _until_refused(world, "VectorIndex", namespace, "handbook", "Correct spec.ingestion.pod.")
        assert (await world.condition("VectorIndex", namespace, "handbook"))["status"] == "False"
        await world.apply(index(namespace))
        await world.until_condition("VectorIndex", namespace, "handbook")
        await _until_healed(world, "VectorIndex", namespace, "handbook")


async def test_everything_at_once_is_written_once(world: World, namespace: str, operator: OperatorProcess) -> None:
    """Also at the next look, and at the look after the operator was started again."""
    await world.priority_class("agents")
    await world.service_account(namespace, "search")
    async with world.controllers(namespace):
        await world.apply(documents(namespace))
        await world.apply(index(namespace, pod=POD, ingestion={"pod": POD}))
        await world.apply(agent(namespace, pod=POD))
        await world.until_condition("VectorIndex", namespace, "handbook")
        await world.until_condition("Agent", namespace, "support")
        await world.until_quiet(namespace)
        for kind in ("Deployment", "StatefulSet", "Job"):
            for found in await world.children(kind, namespace):
                spec = found["spec"]["template"]["spec"]
                assert spec["topologySpreadConstraints"] == POD["topologySpreadConstraints"]
                assert spec["serviceAccountName"] == "search"
        since = now_for_audit()
        operator.stop()
        operator.start()
        await world.apply(agent(namespace, pod=POD, scaling={"min": 2}))
        await until_async(lambda: _scaled(world, namespace), "the new operator has looked at the agent")
        await world.until_quiet(namespace)
        written = [each for each in world.written(since=since, namespace=namespace) if each.code < 300]
        assert {(each.resource, each.subresource) for each in written} <= {("deployments", ""), ("agents", "status")}
        assert len([each for each in written if each.resource == "deployments"]) == 1, "the replicas alone"


async def _scaled(world: World, namespace: str) -> bool:
    return [each["spec"]["replicas"] for each in await world.children("Deployment", namespace)] == [2]


async def _until_refused(world: World, kind: str, namespace: str, name: str, says: str) -> str:
    seen: dict[str, Any] = {}

    async def refused() -> bool:
        seen.update(await world.condition(kind, namespace, name, "Stalled"))
        return seen.get("reason") == "InvalidPod" and says in seen["message"]

    await until_async(refused, f"{kind} {name} says {says!r}")
    return str(seen["message"])


async def _until_healed(world: World, kind: str, namespace: str, name: str) -> None:
    async def healed() -> bool:
        status = (await world.get(kind, namespace, name))["status"]
        return bool(status["phase"] == "Ready")

    await until_async(healed, f"{kind} {name} is well again")
