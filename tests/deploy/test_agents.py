"""An agent has followed a release when it serves from the release's image, and the operator has nothing left to say."""

from typing import Any

import pytest

from scripts.deploy.agents import views
from tests.deploy.conftest import DIGEST

Object = dict[str, Any]
READY = {"type": "Ready", "status": "True", "reason": "Serving", "message": "Revision handbook-2 serves."}


def agent(*more: Object, generation: int = 2, phase: str = "Ready", serving: str = "handbook-2") -> Object:
    revisions = [{"name": serving, "state": "Serving"}, {"name": "handbook-0", "state": "Retiring"}]
    return {
        "kind": "Agent",
        "metadata": {"name": "handbook", "namespace": "demo", "generation": generation},
        "status": {"observedGeneration": 2, "phase": phase, "revisions": revisions, "conditions": [READY, *more]},
    }


def deployment(name: str, digest: str, *, updated: int = 2) -> Object:
    spec = {"containers": [{"image": f"registry.test/slipway/runtime:0.2.0@{digest}"}]}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "demo", "generation": 4},
        "spec": {"replicas": 2, "template": {"spec": spec}},
        "status": {"observedGeneration": 4, "replicas": 2, "readyReplicas": 2, "updatedReplicas": updated},
    }


def open_condition(kind: str) -> Object:
    return {"type": kind, "status": "True", "reason": "Because", "message": "of this"}


RUNNING = [deployment("handbook-0", "sha256:old"), deployment("handbook-2", DIGEST)]


def test_an_agent_that_serves_from_the_new_image_has_followed() -> None:
    (found,) = views([agent()], RUNNING, DIGEST)
    assert (found.name, found.ready) == ("demo/handbook", True)


@pytest.mark.parametrize(
    ("given", "running", "says"),
    [
        (agent(open_condition("Reconciling")), RUNNING, "Because: of this"),
        (agent(open_condition("Stalled"), phase="Degraded"), RUNNING, "Because: of this"),
        (agent(generation=3), RUNNING, "not looked at yet"),
        (agent() | {"status": {}}, RUNNING, "not looked at yet"),
        (agent(), [deployment("handbook-2", "sha256:old")], "does not run the image of this release yet"),
        (agent(), [deployment("handbook-2", DIGEST, updated=1)], "1 of 2 ready"),
        (agent(), [], "does not run the image of this release yet"),
    ],
)
def test_ready_alone_is_not_enough(given: Object, running: list[Object], says: str) -> None:
    (found,) = views([given], running, DIGEST)
    assert not found.ready
    assert says in found.text


def test_what_somebody_paused_is_not_waited_for() -> None:
    (found,) = views([agent(phase="Paused")], [], DIGEST)
    assert found.ready
