"""Which StatefulSets and Jobs should have a pod, and what their Events say about why they have none."""

from typing import Any

import pytest

from slipway_operator.core.conditions import timestamp
from slipway_operator.core.projections import EVENT_MESSAGE_MAX, Child, creation_events, project
from slipway_operator.core.refusals import refusal, without_pods
from tests.support.operator_builds import NOW
from tests.support.operator_objects import raw


def owner(kind: str = "StatefulSet", name: str = "handbook-index", *, age: float = 600, **metadata: Any) -> Child:
    return project(kind, raw(kind, name, metadata={"creationTimestamp": timestamp(NOW - age), **metadata}))


def pod(of: Child, *, phase: str = "Pending", age: float = 60) -> Child:
    references = [{"uid": of.uid, "controller": True}]
    metadata = {"creationTimestamp": timestamp(NOW - age), "ownerReferences": references}
    return project("Pod", raw("Pod", f"{of.name}-pod", metadata=metadata, status={"phase": phase}))


def event(reason: str, *, ago: float, message: str = "exceeded quota", **changes: Any) -> dict[str, Any]:
    return {"reason": reason, "lastTimestamp": timestamp(NOW - ago), "message": message, **changes}


def test_a_pod_is_missed_after_ten_seconds() -> None:
    for kind in ("StatefulSet", "Job"):
        assert without_pods([owner(kind, age=9)], [], now=NOW) == []
        late = owner(kind, age=10)
        assert without_pods([late, None], [], now=NOW) == [late]
        assert without_pods([late], [pod(late)], now=NOW) == []
        assert without_pods([late], [pod(late, phase="Failed")], now=NOW) == [late], "the next attempt is due"
        assert without_pods([late], [pod(owner(name="another"))], now=NOW) == [late]
        leaving = owner(kind, deletionTimestamp=timestamp(NOW))
        assert without_pods([leaving], [], now=NOW) == []


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], ""),
        ([event("FailedCreate", ago=5)], "exceeded quota"),
        ([event("FailedCreate", ago=50, message="older"), event("FailedCreate", ago=5)], "exceeded quota"),
        ([event("FailedCreate", ago=5), event("FailedCreate", ago=50, message="older")], "exceeded quota"),
        ([event("FailedCreate", ago=50), event("SuccessfulCreate", ago=5)], ""),
        ([event("SuccessfulCreate", ago=5, message="the claim"), event("FailedCreate", ago=5)], "exceeded quota"),
        ([event("FailedScheduling", ago=5), event("RecreatingFailedPod", ago=5)], ""),
        ([{"reason": "FailedCreate", "eventTime": timestamp(NOW), "note": "of the newer API"}], "of the newer API"),
        (
            [
                event("FailedCreate", ago=50, series={"lastObservedTime": timestamp(NOW)}, message="a series"),
                event("FailedCreate", ago=5),
            ],
            "a series",
        ),
        ([event("FailedCreate", ago=5, lastTimestamp="whenever"), {"reason": "FailedCreate"}], ""),
    ],
)
def test_the_newest_refusal_counts_unless_a_pod_was_created_since(events: list[dict[str, Any]], words: str) -> None:
    assert refusal(owner(), [], creation_events(events)) == words


def test_a_refusal_from_before_a_pod_that_exists_is_over() -> None:
    job = owner("Job")
    refused = creation_events([event("FailedCreate", ago=30)])
    assert refusal(job, [pod(job, phase="Failed", age=20)], refused) == ""
    assert refusal(job, [pod(job, phase="Failed", age=40)], refused) == "exceeded quota"


def test_words_of_any_length_are_cut() -> None:
    (found,) = creation_events([event("FailedCreate", ago=5, message="x" * 100_000)])
    assert len(found.message) == EVENT_MESSAGE_MAX
