"""Agents that are Ready cause no write, however many there are, nor does restarting the operator.

Agents, index and ingestion have everything on their pods that users may put there, so that what the API server fills
in or leaves out is not taken for somebody's change.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Installation
from tests.support.kwok import fake_node, real_pods_again
from tests.support.operator_bench import Bench, bench, wait, written
from tests.support.operator_manifests import POD, documents, index

__all__ = ["bench"]
pytestmark = pytest.mark.cluster

IDLE_SECONDS = 30
LOOKED_SECONDS = 20
"""By then a new leader has looked at everything several times over."""
SYSTEM = "slipway-system"


@pytest.fixture
def serving(bench: Bench) -> Iterator[Bench]:
    """A small index and an agent that serves, with all that may be on pods."""
    priority: dict[str, Any] = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 7}
    account: dict[str, Any] = {"apiVersion": "v1", "kind": "ServiceAccount"}
    account["metadata"] = {"name": POD["serviceAccountName"], "namespace": bench.namespace}
    priority["metadata"] = {"name": POD["priorityClassName"]}
    try:
        bench.apply(priority, account, documents(bench.namespace))
        bench.apply(index(bench.namespace, pod=POD, ingestion={"pod": POD}), bench.agent(pod=POD))
        bench.until_condition("vectorindexes", "handbook")
        bench.until_condition("agents", "support")
        yield bench
    finally:
        bench.installation.kube.run("delete", "priorityclass", POD["priorityClassName"], "--ignore-not-found")


@pytest.fixture(params=[10, pytest.param(100, marks=pytest.mark.deep)])
def crowd(
    request: pytest.FixtureRequest, serving: Bench, installation: Installation, kubeconfig: Path
) -> Iterator[Bench]:
    """So many agents on a fake node, which share one real index."""
    count: int = request.param
    with fake_node(installation.kube, kubeconfig):
        try:
            serving.apply(*(serving.agent(f"agent-{number:03}", pod=POD) for number in range(count)))
            wait(lambda: ready(serving) >= count, lambda: f"{ready(serving)} of {count} agents are Ready")
            yield serving
        finally:
            everything = ("agents", "--all", f"--namespace={serving.namespace}", "--timeout=120s")
            serving.installation.kube.run("delete", *everything)


def ready(bench: Bench) -> int:
    return sum(
        condition["status"] == "True"
        for agent in bench.items("agents")
        for condition in agent.get("status", {}).get("conditions", [])
        if condition["type"] == "Ready"
    )


def test_agents_that_are_ready_cost_no_write(crowd: Bench) -> None:
    kube = crowd.installation.kube
    pause(10)
    since = datetime.now(UTC)
    pause(IDLE_SECONDS)
    assert resources(crowd, since) == {"leases"}
    with real_pods_again(kube):
        since = datetime.now(UTC)
        kube.run("rollout", "restart", "deployment/slipway-operator", f"--namespace={SYSTEM}")
        kube.run("rollout", "status", "deployment/slipway-operator", f"--namespace={SYSTEM}", "--timeout=180s")
        pods = {pod["metadata"]["name"] for pod in crowd.installation.pods(SYSTEM, component="operator")}

        def leads() -> bool:
            lease = kube.get("lease", "slipway-operator", f"--namespace={SYSTEM}")
            return lease["spec"].get("holderIdentity") in pods

        wait(leads, lambda: "one of the new pods leads")
        pause(LOOKED_SECONDS)
        assert resources(crowd, since) == {"leases"}


def resources(bench: Bench, since: datetime) -> set[str]:
    """What the operator wrote since then."""
    return {resource for _, resource, _ in written(bench.installation, since)}


def pause(seconds: float) -> None:
    """Let time pass: nothing is to happen, so there is nothing to wait for."""
    until = datetime.now(UTC).timestamp() + seconds
    wait(lambda: datetime.now(UTC).timestamp() > until, lambda: "time passes", deadline=seconds + 10)
