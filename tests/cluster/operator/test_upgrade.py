"""A new runtime image reaches the agents a few at a time, and not at all once the first of them cannot run it."""

from collections.abc import Callable

import pytest

from tests.support.operator_manifests import agent, documents, index
from tests.support.operator_process import OperatorProcess
from tests.support.operator_world import World
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.cluster

AGENTS = [f"agent-{number}" for number in range(6)]
AT_ONCE = 2
OLD = "slipway.local/runtime:old"
NEW = "slipway.local/runtime:new"


async def test_an_upgrade_is_rolled_a_few_agents_at_a_time(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    env = {"SLIPWAY_OPERATOR_ROLLS_AT_ONCE": str(AT_ONCE)}
    async with world.controllers(namespace):
        with make_operator({**env, "SLIPWAY_OPERATOR_RUNTIME_IMAGE": OLD}):
            for manifest in (documents(namespace), index(namespace), *(agent(namespace, name) for name in AGENTS)):
                await world.apply(manifest)
            for name in AGENTS:
                await world.until_condition("Agent", namespace, name)
        world.outcomes.rolled = lambda name: False
        with make_operator({**env, "SLIPWAY_OPERATOR_RUNTIME_IMAGE": NEW}) as operator:
            await until_async(lambda: _has(world, namespace, AT_ONCE), "the first are being rolled")
            await until(lambda: _reconciles(operator) >= 3 * len(AGENTS), "all of them were looked at several times")
            assert len(await upgraded(world, namespace)) == AT_ONCE, "pods that do not come up stop the upgrade"
            assert len(await revisions(world, namespace)) == len(AGENTS), "it is no new revision"
            world.outcomes.rolled = lambda name: True
            await until_async(lambda: _has(world, namespace, len(AGENTS)), "all are upgraded")


async def upgraded(world: World, namespace: str) -> list[str]:
    return [
        deployment["metadata"]["name"]
        for deployment in await world.children("Deployment", namespace)
        if deployment["spec"]["template"]["spec"]["containers"][0]["image"] == NEW
    ]


async def revisions(world: World, namespace: str) -> list[str]:
    return [deployment["metadata"]["name"] for deployment in await world.children("Deployment", namespace)]


async def _has(world: World, namespace: str, count: int) -> bool:
    return len(await upgraded(world, namespace)) >= count


def _reconciles(operator: OperatorProcess) -> float:
    for line in operator.get("/metrics")[1].splitlines():
        if line.startswith('slipway_operator_reconciles_total{kind="Agent",result="ok"}'):
            return float(line.split()[-1])
    return 0
