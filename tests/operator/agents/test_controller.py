"""Which pod of an agent is asked what it is missing."""

from typing import Any

from slipway_operator.agents.controller import pod_to_ask
from slipway_operator.core.projections import Child, project
from tests.support.operator_objects import raw


def pod(name: str, *, ready: bool, phase: str = "Running", created: int = 0, **metadata: Any) -> Child:
    stamp = f"2027-01-15T08:00:{created:02}Z"
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": stamp}]
    status = {"phase": phase, "podIP": name, "conditions": conditions}
    return project("Pod", raw("Pod", name, metadata={"creationTimestamp": stamp, **metadata}, status=status))


def asked(*children: Child) -> str:
    found = pod_to_ask(children)
    return found.ip if found else ""


def test_a_pod_that_is_not_ready_is_asked_before_one_that_is() -> None:
    assert asked(pod("ready", ready=True, created=9), pod("unready", ready=False)) == "unready"


def test_of_ready_pods_the_newest_is_asked() -> None:
    assert asked(pod("old", ready=True), pod("new", ready=True, created=9)) == "new"


def test_a_pod_that_does_not_run_or_goes_is_not_asked() -> None:
    going = pod("going", ready=True, deletionTimestamp="2027-01-15T08:01:00Z")
    assert asked(pod("pending", ready=False, phase="Pending"), going, project("Service", raw("Service", "s"))) == ""
