"""Trouble: pods that cannot run, a store that is down. It reports what a person must fix, and waits for the rest."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from slipway_operator.core.conditions import timestamp
from tests.support.operator_manifests import agent, documents, index
from tests.support.operator_process import PASSWORD, OperatorProcess
from tests.support.operator_steps import ready, revisions, until_states
from tests.support.operator_world import World
from tests.support.postgres import RestartablePostgres
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster


async def test_pods_that_cannot_run_are_stalled_in_their_own_words_while_the_old_revision_serves(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    with make_operator({"SLIPWAY_OPERATOR_ROLLOUT_DEADLINE": "2"}):
        async with world.controllers(namespace):
            await ready(world, namespace)
            (old,) = await revisions(world, namespace)
            world.outcomes.available = lambda name: name == old
            await world.apply(agent(namespace, min_score="0.6"))
            found = await until_states(world, namespace, "Serving", "Candidate")
            candidate = next(name for name, state in found.items() if state == "Candidate")
            waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "nowhere/host:1"'}
            await _pod(world, namespace, candidate, waiting)
            stalled = await world.until_condition(
                "Agent", namespace, "support", condition="Stalled", reason="ImagePullFailed"
            )
            assert "nowhere/host:1" in stalled["message"]
            status = (await world.get("Agent", namespace, "support"))["status"]
            assert status["phase"] == "Degraded"
            assert (await world.condition("Agent", namespace, "support"))["status"] == "True"
            assert (await revisions(world, namespace))[old] == "Serving"
            await world.apply(agent(namespace))
            await until_states(world, namespace, "Serving")
            assert await world.condition("Agent", namespace, "support", "Stalled") == {}


async def _pod(world: World, namespace: str, revision: str, waiting: dict[str, str]) -> None:
    """A pod of a revision that is in trouble."""
    deployment = await world.get("Deployment", namespace, revision)
    template = deployment["spec"]["template"]
    spec = {key: value for key, value in template["spec"].items() if key != "serviceAccount"}
    metadata = {"name": f"{revision}-pod", "namespace": namespace, "labels": template["metadata"]["labels"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    await world.apply(pod)
    container = {"name": "host", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": "Pending", "containerStatuses": [{**container, "state": {"waiting": waiting}}]}
    await world.merge("Pod", namespace, metadata["name"], {"status": status}, "status")


async def test_a_store_that_is_away_is_waited_for(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    with RestartablePostgres() as postgres:
        operator = make_operator(store_dsn=postgres.dsn)
        postgres.stop()
        with operator:
            async with world.controllers(namespace):
                for manifest in (documents(namespace), index(namespace), agent(namespace)):
                    await world.apply(manifest)
                world.outcomes.available = lambda name: False
                waiting = await world.until_condition(
                    "Agent", namespace, "support", status="False", reason="WaitingForStore"
                )
                assert "Postgres" in waiting["message"]
                assert PASSWORD not in waiting["message"]
                assert await world.condition("Agent", namespace, "support", "Stalled") == {}
                postgres.start()
                world.outcomes.available = lambda name: True
                await world.until_condition("Agent", namespace, "support")
                await world.until_condition("VectorIndex", namespace, "handbook")


async def test_a_server_whose_pod_is_refused_is_stalled_in_the_api_servers_words_until_it_is_let_in(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    words = 'create Pod handbook-index-0 failed error: pods "handbook-index-0" is forbidden: exceeded quota: team'
    with make_operator():
        for manifest in (documents(namespace), index(namespace), agent(namespace)):
            await world.apply(manifest)
        await _refuse(world, namespace, "older words", ago=60)
        await _refuse(world, namespace, words)
        stalled = await world.until_condition(
            "VectorIndex", namespace, "handbook", condition="Stalled", reason="PodsRefused"
        )
        assert words in stalled["message"]

        async def passed_on() -> bool:
            return words in (await world.condition("Agent", namespace, "support")).get("message", "")

        await until_async(passed_on, "the Agent says why its index was never built")
        async with world.controllers(namespace):
            await world.until_condition("VectorIndex", namespace, "handbook")
        assert await world.condition("VectorIndex", namespace, "handbook", "Stalled") == {}


async def _refuse(world: World, namespace: str, words: str, *, ago: int = 0) -> None:
    """What the StatefulSet's controller says of a pod that it may not create."""
    stateful_set: dict[str, Any] = {}

    async def made() -> bool:
        nonlocal stateful_set
        stateful_set = await world.get("StatefulSet", namespace, "handbook-index")
        return bool(stateful_set)

    await until_async(made, "there is a StatefulSet")
    about = {"kind": "StatefulSet", "namespace": namespace, "name": "handbook-index"}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"handbook-index.{ago}", "namespace": namespace},
        "involvedObject": {**about, "uid": stateful_set["metadata"]["uid"]},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": words,
        "lastTimestamp": timestamp(time.time() - ago),
    }
    assert (await world.api.request("POST", f"/api/v1/namespaces/{namespace}/events", event)).accepted
