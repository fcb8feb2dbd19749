"""Idle means idle, and an operator that dies at any moment leaves nothing that the next one does not finish."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from slipway_operator.kinds import CHILDREN, OWNERS
from tests.support.operator_manifests import agent, documents, index
from tests.support.operator_process import OperatorProcess
from tests.support.operator_world import World, now_for_audit
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.cluster

KILLED = 86
KILLING = """
import os
from slipway_operator import kube
send, left = kube.KubeClient._send, [int(os.environ["KILL_AFTER"])]

async def send_and_die(self, method, path, **more):
    answer = await send(self, method, path, **more)
    if method != "GET" and "/leases" not in path and os.environ["NAMESPACE"] in path:
        left[0] -= 1
        if left[0] <= 0:
            os._exit(86)
    return answer

kube.KubeClient._send = send_and_die
from slipway_operator.main import main
main()
"""


async def both_ready(world: World, namespace: str, **spec: Any) -> None:
    for manifest in (documents(namespace), index(namespace), agent(namespace, **spec)):
        await world.apply(manifest)
    await world.until_condition("VectorIndex", namespace, "handbook")
    await world.until_condition("Agent", namespace, "support")


async def quiet(world: World, namespace: str) -> None:
    """As many writes now as a moment ago."""
    since, seen = START, -1

    async def so() -> bool:
        nonlocal seen
        before, seen = seen, len(world.written(since=since, namespace=namespace))
        return before == seen

    await until_async(so, "nothing more is written")


START = now_for_audit()


async def test_a_restart_with_nothing_changed_writes_nothing(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    operator = make_operator()
    async with world.controllers(namespace):
        with operator:
            await both_ready(world, namespace, scaling={"min": 2, "max": 4})
            await quiet(world, namespace)
        since = now_for_audit()
        with operator:
            for kind in ("Agent", "VectorIndex"):
                looked = f'slipway_operator_reconciles_total{{kind="{kind}",result="ok"}}'
                await until(lambda looked=looked: looked in _metrics(operator), f"the {kind} was looked at")  # type: ignore[misc]
            await quiet(world, namespace)
        assert world.written(since=since, namespace=namespace) == []


async def test_killed_after_each_write_in_turn_the_outcome_is_the_same(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    scaling = {"min": 2}
    async with world.controllers(namespace):
        with make_operator():
            await both_ready(world, namespace, scaling=scaling)
            await quiet(world, namespace)
        scores = [f"0.{number}" for number in range(50, 99)]
        deaths = 0
        for writes, score in enumerate(scores, start=1):
            await world.apply(agent(namespace, min_score=score, scaling=scaling))
            # Each has a Lease of its own, since that of one that was killed is free only after 15 s.
            sabotage = {"KILL_AFTER": str(writes), "NAMESPACE": namespace}
            killed = make_operator({**sabotage, "SLIPWAY_OPERATOR_LEASE_NAME": f"killed-{writes}"})
            killed.start(KILLING)
            died = await _died_or_done(world, namespace, killed, score)
            deaths += died
            killed.stop()
            with make_operator({"SLIPWAY_OPERATOR_LEASE_NAME": f"next-{writes}"}):
                await _done(world, namespace, score)
                await _as_if_nothing_had_happened(world, namespace, scaling)
            if not died:
                break
        assert deaths >= 6, "the change takes at least so many writes"


async def _died_or_done(world: World, namespace: str, operator: OperatorProcess, score: str) -> bool:
    async def over() -> bool:
        return not operator.running or await _is_done(world, namespace, score)

    await until_async(over, "killed, or done")
    if operator.running:
        return False
    assert operator.wait() == KILLED
    return True


async def _done(world: World, namespace: str, score: str) -> None:
    await until_async(lambda: _is_done(world, namespace, score), f"minScore {score} serves alone")


async def _is_done(world: World, namespace: str, score: str) -> bool:
    found = await world.get("Agent", namespace, "support")
    revisions = found["status"].get("revisions") or []
    if found["status"]["observedGeneration"] != found["metadata"]["generation"] or len(revisions) != 1:
        return False
    config_map = await world.get("ConfigMap", namespace, revisions[0]["name"])
    config = json.loads(config_map.get("data", {}).get("config.json", "{}"))
    return bool(config) and config["agents"][0]["knowledge"][0]["min_score"] == float(score)


async def _as_if_nothing_had_happened(world: World, namespace: str, scaling: dict[str, int]) -> None:
    (revision,) = (await world.get("Agent", namespace, "support"))["status"]["revisions"]

    async def alone() -> bool:
        found = [
            child["metadata"]["name"]
            for kind in ("Deployment", "Service", "ConfigMap")
            for child in await world.children(kind, namespace)
            if child["metadata"]["name"].startswith("support-")
        ]
        return found == [revision["name"]] * 3

    await until_async(alone, "nothing is left of the old revision")
    assert (revision["state"], revision["weight"]) == ("Serving", 100)
    names = {
        kind.name: sorted(child["metadata"]["name"] for child in await world.children(kind.name, namespace))
        for kind in CHILDREN
    }
    assert names["Deployment"] == [revision["name"]]
    assert names["Service"] == ["handbook-index", revision["name"]]
    assert revision["name"] in names["ConfigMap"]
    assert len(names["ConfigMap"]) == 2
    (deployment,) = await world.children("Deployment", namespace)
    assert deployment["spec"]["replicas"] == scaling["min"]
    assert deployment["metadata"]["annotations"]["slipway.dev/state"] == "Serving"


async def test_the_second_replica_takes_over(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    async with world.controllers(namespace):
        with make_operator(name="one") as one:
            await both_ready(world, namespace)
            with make_operator(name="two") as two:
                await until(lambda: _probe(two, "/readyz") == 200, "a replica that waits is ready")
                assert "slipway_operator_leader 0.0" in _metrics(two)
                one.stop()
                await until(lambda: "slipway_operator_leader 1.0" in _metrics(two), "given back, it is taken at once")
                await world.apply(agent(namespace, "later"))
                await world.until_condition("Agent", namespace, "later")
                assert _probe(two, "/livez") == 200


async def test_on_secrets_the_operator_only_ever_creates(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    async with world.controllers(namespace):
        with make_operator():
            await both_ready(world, namespace)
    audit = world.requests()
    assert {verb for verb, resource in audit if resource == "secrets"} == {"create"}
    assert {resource for verb, resource in audit if verb == "delete"} <= {kind.plural for kind in CHILDREN}
    touched = {resource for verb, resource in audit if verb in ("patch", "update")}
    assert touched <= {kind.plural for kind in (*OWNERS, *CHILDREN)} | {"leases"}


def _metrics(operator: OperatorProcess) -> str:
    return operator.get("/metrics")[1]


def _probe(operator: OperatorProcess, path: str) -> int:
    return operator.get(path)[0]
