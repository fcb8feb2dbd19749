"""An operator that dies at any moment leaves nothing that the next one does not finish."""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from slipway_operator.core.objects import CHILDREN
from tests.support.operator_manifests import agent, index
from tests.support.operator_process import OperatorProcess
from tests.support.operator_world import World
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster

KILLED = 86
POINTS = pytest.mark.parametrize(
    "points", [pytest.param(2, id="two writes"), pytest.param(50, id="every write", marks=pytest.mark.deep)]
)
"""After how many of the writes the operator is killed: after each takes minutes."""
KILLING = """
import os
from pathlib import Path
from slipway_operator.core import kube
send, order = kube.KubeClient._send, Path(os.environ["KILL_ORDER"])

async def send_and_die(self, method, path, **more):
    answer = await send(self, method, path, **more)
    if method != "GET" and "/leases" not in path and order.exists():
        left = int(order.read_text()) - 1
        order.write_text(str(left))
        if left <= 0:
            os._exit(86)
    return answer

kube.KubeClient._send = send_and_die
from slipway_operator.main import main
main()
"""


@POINTS
async def test_killed_after_each_write_in_turn_the_outcome_is_the_same(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess], tmp_path: Path, points: int
) -> None:
    scaling = {"min": 2}

    async def change(number: int) -> Callable[[], Awaitable[bool]]:
        score = f"0.{50 + number}"
        await world.apply(agent(namespace, min_score=score, scaling=scaling))
        return lambda: _agent_is_done(world, namespace, score)

    async with world.controllers(namespace):
        with make_operator():
            await world.both_ready(namespace, scaling=scaling)
            await world.until_quiet(namespace)
        async for _ in _killed_in_turn(make_operator, change, points=points, deaths=6, folder=tmp_path):
            await _as_if_nothing_had_happened(world, namespace, scaling)


@POINTS
async def test_killed_after_each_write_in_turn_an_index_is_built_all_the_same(
    world: World, namespace: str, make_operator: Callable[..., OperatorProcess], tmp_path: Path, points: int
) -> None:
    async def change(number: int) -> Callable[[], Awaitable[bool]]:
        await world.apply(index(namespace, chunking={"maxTokens": 100 + number}))
        return lambda: _index_is_done(world, namespace, 100 + number)

    async with world.controllers(namespace):
        with make_operator():
            await world.both_ready(namespace)
            await world.until_quiet(namespace)
        async for _ in _killed_in_turn(make_operator, change, points=points, deaths=4, folder=tmp_path):
            assert len(await world.children("Job", namespace)) == 1
            assert (await world.condition("Agent", namespace, "support"))["status"] == "True"


async def _killed_in_turn(
    make_operator: Callable[..., OperatorProcess],
    change: Callable[[int], Awaitable[Callable[[], Awaitable[bool]]]],
    *,
    points: int,
    deaths: int,
    folder: Path,
) -> AsyncIterator[int]:
    """Make a change, kill the operator after its first write, let the next one finish and yield; then after its second
    write, and so on, up to `points`, or until a change needs no more writes. `change` makes the change of that number,
    and says what shows that it is done; it must have taken at least so many writes as `deaths`."""
    done: Callable[[], Awaitable[bool]] = _at_once
    for writes in range(1, 50):
        # Each has a Lease of its own, since that of one that was killed is free only after 15 s.
        order = folder / f"kill-after-{writes}"
        operator = make_operator(
            {"KILL_ORDER": str(order), "SLIPWAY_OPERATOR_LEASE_NAME": f"operator-{secrets.token_hex(4)}"}
        )
        operator.start(KILLING)
        await until_async(done, "the change before is done")
        if writes > 1:
            yield writes - 1
        if writes > points:
            operator.stop()
            return
        order.write_text(str(writes))
        done = await change(writes)
        died = await _died_or_done(operator, done)
        operator.stop()
        if not died:
            assert writes > deaths, "the change takes at least so many writes"
            return
    raise AssertionError("a change that never ends")


async def _at_once() -> bool:
    return True


async def _died_or_done(operator: OperatorProcess, done: Callable[[], Awaitable[bool]]) -> bool:
    async def over() -> bool:
        return not operator.running or await done()

    await until_async(over, "killed, or done")
    if operator.running:
        return False
    assert operator.wait() == KILLED
    return True


async def _index_is_done(world: World, namespace: str, max_tokens: int) -> bool:
    found = await world.get("VectorIndex", namespace, "handbook")
    jobs = await world.children("Job", namespace)
    if found["status"]["observedGeneration"] != found["metadata"]["generation"] or len(jobs) != 1:
        return False
    condition = await world.condition("VectorIndex", namespace, "handbook")
    configs = [each["data"].get("config.json", "{}") for each in await world.children("ConfigMap", namespace)]
    built = jobs[0].get("status", {}).get("succeeded") == 1
    return built and condition["status"] == "True" and any(f'"max_tokens":{max_tokens}' in each for each in configs)


async def _agent_is_done(world: World, namespace: str, score: str) -> bool:
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
        return found == [*[revision["name"]] * 3, f"{revision['name']}-bindings"]

    await until_async(alone, "nothing is left of the old revision")
    assert (revision["state"], revision["weight"]) == ("Serving", 100)
    names = {
        kind.name: sorted(child["metadata"]["name"] for child in await world.children(kind.name, namespace))
        for kind in CHILDREN
    }
    assert names["Deployment"] == [revision["name"]]
    assert names["Service"] == ["handbook-index", revision["name"]]
    assert revision["name"] in names["ConfigMap"]
    assert len(names["ConfigMap"]) == 3
    (deployment,) = await world.children("Deployment", namespace)
    assert deployment["spec"]["replicas"] == scaling["min"]
    assert deployment["metadata"]["annotations"]["slipway.dev/state"] == "Serving"
