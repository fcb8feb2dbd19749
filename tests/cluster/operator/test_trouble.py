"""Trouble: pods that cannot run, a store that is away. What a person must mend is told from what heals by itself."""

from collections.abc import Callable

import pytest

from tests.support.operator_manifests import agent, documents, index
from tests.support.operator_process import PASSWORD, OperatorProcess
from tests.support.operator_steps import ready, revisions, until_states
from tests.support.operator_world import World
from tests.support.postgres import RestartablePostgres

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
