"""Whatever somebody changes about an object that the operator made, one write puts it right."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from slipway_operator.drift import owned_fields
from slipway_operator.kinds import CHILDREN
from tests.support.operator_manifests import agent, documents, index
from tests.support.operator_process import OperatorProcess
from tests.support.operator_world import World, now_for_audit
from tests.support.owned_leaves import Leaf, at, leaves, others
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster


async def test_every_owned_leaf_is_put_right_by_one_write(
    world: World, namespace: str, operator: OperatorProcess
) -> None:
    for manifest in (
        documents(namespace),
        index(namespace),
        agent(namespace, scaling={"min": 1, "max": 3}, pod={"resources": {"limits": {"memory": "1Gi"}}}),
    ):
        await world.apply(manifest)
    tried: dict[str, int] = {}
    async with world.controllers(namespace):
        await world.until_condition("Agent", namespace, "support")
        await world.until_condition("VectorIndex", namespace, "handbook")
        await until_settled(world, namespace)
        for kind in CHILDREN:
            for child in await world.children(kind.name, namespace):
                changed = [await spoil(world, kind.name, child, leaf) for leaf in owned(child)]
                tried[kind.name] = tried.get(kind.name, 0) + sum(changed)
    assert set(tried) == {kind.name for kind in CHILDREN}, "a kind was not tried at all"
    assert all(count >= 5 for count in tried.values()), tried
    assert sum(tried.values()) > 150, tried


def owned(child: Mapping[str, Any]) -> list[Leaf]:
    fields = json.loads(owned_fields(child["metadata"]["managedFields"]))
    return list(leaves(fields, child))


async def spoil(world: World, kind: str, child: Mapping[str, Any], leaf: Leaf) -> bool:
    """Change the leaf in every way that the API server takes; whether there was one."""
    namespace, name = child["metadata"]["namespace"], child["metadata"]["name"]
    accepted = False
    for operation in others(leaf):
        since = now_for_audit()
        answer = await world.json_patch(kind, namespace, name, [operation])
        if not answer.accepted or at(leaf.pointer, answer.body) == leaf.value:
            continue
        accepted = True
        await until_put_right(world, kind, namespace, name, leaf, operation)
        writes = [each for each in world.written(since=since, namespace=namespace) if each.name == name]
        well = [each for each in writes if each.code < 300]
        assert len(well) == 1, f"{kind} {leaf.pointer} {operation}: {writes}"
    return accepted


async def until_put_right(
    world: World, kind: str, namespace: str, name: str, leaf: Leaf, operation: Mapping[str, Any]
) -> None:
    async def right() -> bool:
        found = await world.get(kind, namespace, name)
        return bool(at(leaf.pointer, found) == leaf.value)

    await until_async(right, f"{kind} {name} is put right after {operation}", deadline=10)


async def until_settled(world: World, namespace: str) -> None:
    """Nothing was written for two seconds' worth of looks."""
    seen = -1

    async def quiet() -> bool:
        nonlocal seen
        before, seen = seen, len(world.written(since=START, namespace=namespace))
        return before == seen

    await until_async(quiet, "the operator has nothing more to write")


START = now_for_audit()
