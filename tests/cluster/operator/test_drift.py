"""Whatever somebody changes about an object that the operator made, one write puts it right."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from slipway_operator.core.drift import owned_fields
from slipway_operator.core.objects import CHILDREN
from tests.support.operator_manifests import POD, agent, documents, index
from tests.support.operator_process import OperatorProcess
from tests.support.operator_world import World, Write, now_for_audit
from tests.support.owned_leaves import Leaf, at, leaves, others
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    "step", [pytest.param(12, id="one leaf in twelve"), pytest.param(1, id="every leaf", marks=pytest.mark.deep)]
)
async def test_owned_leaves_are_put_right_by_one_write(
    world: World, namespace: str, operator: OperatorProcess, step: int
) -> None:
    await world.priority_class("agents")
    await world.service_account(namespace, "search")
    for manifest in (
        documents(namespace),
        index(namespace),
        agent(namespace, scaling={"min": 1, "max": 3}, pod=POD),
    ):
        await world.apply(manifest)
    tried: dict[str, int] = {}
    async with world.controllers(namespace):
        await world.until_condition("Agent", namespace, "support")
        await world.until_condition("VectorIndex", namespace, "handbook")
        await world.until_quiet(namespace)
        for kind in CHILDREN:
            for child in await world.children(kind.name, namespace):
                since = now_for_audit()
                changes = [await spoil(world, kind.name, child, leaf) for leaf in owned(child)[::step]]
                await world.until_quiet(namespace)
                assert len(well_written(world, child, since)) == sum(changes), "a write that nothing called for"
                tried[kind.name] = tried.get(kind.name, 0) + sum(each > 0 for each in changes)
    assert set(tried) == {kind.name for kind in CHILDREN}, "a kind was not tried at all"
    assert all(count * step >= 5 for count in tried.values()), tried
    assert sum(tried.values()) * step > 150, tried


def owned(child: Mapping[str, Any]) -> list[Leaf]:
    fields = json.loads(owned_fields(child["metadata"]["managedFields"]))
    return list(leaves(fields, child))


async def spoil(world: World, kind: str, child: Mapping[str, Any], leaf: Leaf) -> int:
    """Change the leaf in every way that the API server takes; how many there were."""
    namespace, name = child["metadata"]["namespace"], child["metadata"]["name"]
    accepted = 0
    for operation in others(leaf):
        since = now_for_audit()
        answer = await world.json_patch(kind, namespace, name, [operation])
        if not answer.accepted or at(leaf.pointer, answer.body) == leaf.value:
            continue
        accepted += 1
        await until_put_right(world, kind, namespace, name, leaf, operation)
        # The log shows a write a moment after the API server carried it out.
        await until(lambda since=since: well_written(world, child, since), "the audit log has it")  # type: ignore[misc]
        assert len(well_written(world, child, since)) == 1, f"{kind} {leaf.pointer} {operation}"
    return accepted


def well_written(world: World, child: Mapping[str, Any], since: datetime) -> list[Write]:
    """What the operator wrote to the child since then, and was taken by the API server."""
    writes = world.written(since=since, namespace=child["metadata"]["namespace"])
    return [each for each in writes if each.name == child["metadata"]["name"] and each.code < 300]


async def until_put_right(
    world: World, kind: str, namespace: str, name: str, leaf: Leaf, operation: Mapping[str, Any]
) -> None:
    async def right() -> bool:
        found = await world.get(kind, namespace, name)
        return bool(at(leaf.pointer, found) == leaf.value)

    await until_async(right, f"{kind} {name} is put right after {operation}", deadline=10)
