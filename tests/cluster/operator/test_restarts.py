"""An idle operator writes nothing, and one replica takes over from another."""

from collections.abc import Callable

import pytest

from slipway_operator.core.objects import CHILDREN, owner_kinds
from tests.support.beacons.kind import BEACON
from tests.support.operator_manifests import agent
from tests.support.operator_process import OperatorProcess
from tests.support.operator_world import World, now_for_audit
from tests.support.waiting import until

pytestmark = pytest.mark.cluster


async def test_a_restart_with_nothing_changed_writes_nothing(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    operator = make_operator()
    async with world.controllers(namespace):
        with operator:
            await world.both_ready(namespace, scaling={"min": 2, "max": 4})
            await world.until_quiet(namespace)
        since = now_for_audit()
        with operator:
            for kind in ("Agent", "VectorIndex"):
                looked = f'slipway_operator_reconciles_total{{kind="{kind}",result="ok"}}'
                await until(lambda looked=looked: looked in _metrics(operator), f"the {kind} was looked at")  # type: ignore[misc]
            await world.until_quiet(namespace)
        assert world.written(since=since, namespace=namespace) == []


async def test_the_second_replica_takes_over(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess]
) -> None:
    async with world.controllers(namespace):
        with make_operator(name="one") as one:
            await world.both_ready(namespace)
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
            await world.both_ready(namespace)
    audit = world.requests()
    assert {verb for verb, resource in audit if resource == "secrets"} == {"create"}
    assert {resource for verb, resource in audit if verb == "delete"} <= {kind.plural for kind in CHILDREN}
    touched = {resource for verb, resource in audit if verb in ("patch", "update")}
    # The log is of all operators that the tests started, among them the one that knows a third kind.
    assert touched <= {kind.plural for kind in (*owner_kinds(), *CHILDREN)} | {BEACON.plural, "leases"}


def _metrics(operator: OperatorProcess) -> str:
    return operator.get("/metrics")[1]


def _probe(operator: OperatorProcess, path: str) -> int:
    return operator.get(path)[0]
