"""What objects say about themselves, in words for a person who waits."""

from typing import Any

import pytest

from slipway_demo.conditions import index_view, kind_view, pod_troubles, workload_view


def _kind(status: dict[str, Any], generation: int = 2) -> dict[str, Any]:
    return {
        "kind": "VectorIndex",
        "metadata": {"name": "handbook", "generation": generation},
        "spec": {"sources": [{"name": "docs", "configMap": {"name": "handbook"}}]},
        "status": status,
    }


def _conditions(**ready: str) -> list[dict[str, str]]:
    return [{"type": "Ready", "status": "True", "reason": "Serving", "message": "It serves.", **ready}]


READY = {"observedGeneration": 2, "conditions": _conditions(), "lastSyncedTime": "2026-01-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("status", "ready", "text"),
    [
        pytest.param({"observedGeneration": -1}, False, "not looked at yet", id="fresh"),
        pytest.param({**READY, "observedGeneration": 1}, False, "not looked at yet", id="status of an older spec"),
        pytest.param(READY, True, "Serving: It serves.", id="ready"),
        pytest.param({**READY, "progress": "3/9 chunks"}, True, "Serving: 3/9 chunks", id="with progress"),
        pytest.param(
            {
                **READY,
                "conditions": [
                    *_conditions(status="False", reason="WaitingForPods"),
                    {"type": "Stalled", "status": "True", "reason": "PodCrashing", "message": "Pod a ended."},
                ],
            },
            False,
            "PodCrashing: Pod a ended.",
            id="stalled says more than not ready",
        ),
    ],
)
def test_kinds(status: dict[str, Any], ready: bool, text: str) -> None:
    view = kind_view(_kind(status))
    assert (view.name, view.ready, view.text) == ("VectorIndex handbook", ready, text)


@pytest.mark.parametrize(
    ("written", "ready"), [("2026-01-01T09:59:59Z", True), ("2026-01-01T10:00:01Z", False)], ids=["older", "newer"]
)
def test_an_index_is_ready_only_with_the_documents_of_now(written: str, ready: bool) -> None:
    source = {"metadata": {"name": "handbook", "managedFields": [{"time": written}, {}]}}
    other = {"metadata": {"name": "other", "managedFields": [{"time": "2027-01-01T00:00:00Z"}]}}
    assert index_view(_kind(READY), [source, other]).ready is ready


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, True),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, False),
        ({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 3}, False),
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2}, False),
    ],
    ids=["all new and ready", "older template", "an old pod is still there", "not all new"],
)
def test_workloads(status: dict[str, Any], ready: bool) -> None:
    item = {"kind": "Deployment", "metadata": {"name": "a", "generation": 3}, "spec": {"replicas": 2}, "status": status}
    assert workload_view(item).ready is ready


@pytest.mark.parametrize(
    ("container", "text"),
    [
        ({"state": {"running": {}}, "ready": True}, None),
        ({"state": {"running": {}}, "ready": False}, "running, but not ready"),
        ({"state": {"terminated": {"exitCode": 0}}}, None),
        (
            {"state": {"terminated": {"exitCode": 1, "message": "NoDocuments: none"}}},
            "ended with status 1  NoDocuments",
        ),
        ({"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}, "ImagePullBackOff not found"),
        (
            {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"message": "no key"}}},
            "CrashLoopBackOff no key",
        ),
    ],
    ids=["well", "unready", "done", "failed", "no image", "crashing"],
)
def test_troubles_of_pods(container: dict[str, Any], text: str | None) -> None:
    pod = {"metadata": {"namespace": "demo", "name": "a"}, "status": {"containerStatuses": [container]}}
    troubles = pod_troubles([pod])
    assert [trouble.startswith(f"pod demo/a: {text}") for trouble in troubles] == ([True] if text else [])


def test_a_pod_that_cannot_be_scheduled_is_a_trouble() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no memory left"}
    pod = {"metadata": {"namespace": "demo", "name": "a"}, "status": {"conditions": [condition]}}
    assert pod_troubles([pod]) == ["pod demo/a: Unschedulable: no memory left"]
