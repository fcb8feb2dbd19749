"""Conditions as kstatus reads them, and a status that is written only when it says something new."""

import pytest

from slipway_crds.meta import Phase
from slipway_operator.core.conditions import (
    Statement,
    Trouble,
    conditions,
    patch,
    paused_status,
    standing,
    timestamp,
)

READY = Statement("Ready", True, "Serving", "It serves.")
NOT_READY = Statement("Ready", False, "WaitingForPods", "Pods are starting.")
PROGRESS = Statement("Reconciling", True, "WaitingForPods", "Pods are starting.")
TROUBLE = Trouble("PodCrashing", "It crashes.")


@pytest.mark.parametrize(
    ("ready", "trouble", "progress", "waiting", "types", "phase"),
    [
        (READY, None, None, False, ["Ready"], "Ready"),
        (READY, None, PROGRESS, False, ["Ready", "Reconciling"], "Progressing"),
        (READY, TROUBLE, PROGRESS, False, ["Ready", "Stalled"], "Degraded"),
        (NOT_READY, None, PROGRESS, False, ["Ready", "Reconciling"], "Progressing"),
        (NOT_READY, None, PROGRESS, True, ["Ready", "Reconciling"], "Pending"),
        (NOT_READY, None, None, False, ["Ready"], "Pending"),
        (NOT_READY, TROUBLE, PROGRESS, False, ["Ready", "Stalled"], "Stalled"),
    ],
)
def test_the_standing(
    ready: Statement,
    trouble: Trouble | None,
    progress: Statement | None,
    waiting: bool,
    types: list[str],
    phase: Phase,
) -> None:
    statements, word = standing(ready, trouble=trouble, progress=progress, waiting=waiting)
    assert [statement.type for statement in statements] == types
    assert word == phase


def test_the_time_moves_only_when_the_status_flips() -> None:
    first = conditions([NOT_READY], observed=[], generation=1, now=100)
    reworded = Statement("Ready", False, "WaitingForStore", "Postgres is unavailable.")
    second = conditions([reworded], observed=first, generation=2, now=200)
    assert second[0]["lastTransitionTime"] == timestamp(100)
    third = conditions([READY], observed=second, generation=2, now=300)
    assert third[0]["lastTransitionTime"] == timestamp(300)


def test_the_same_status_is_no_patch() -> None:
    before = conditions([READY], observed=[], generation=1, now=100)
    status = {"phase": "Ready", "conditions": before}
    same = {"phase": "Ready", "conditions": conditions([READY], observed=before, generation=1, now=999)}
    assert patch(status, same) is None


def test_a_field_that_no_longer_holds_is_removed() -> None:
    assert patch({"progress": "1/2", "phase": "Ready"}, {"phase": "Ready"}) == {"progress": None}


def test_a_long_message_fits_the_crd() -> None:
    (condition,) = conditions([Statement("Ready", False, "X", "x" * 10000)], observed=[], generation=1, now=0)
    assert len(str(condition["message"])) == 4096


def test_pausing_keeps_what_was_known_and_says_so() -> None:
    before = {
        "observedGeneration": 3,
        "url": "http://x",
        "conditions": conditions([READY, PROGRESS], observed=[], generation=3, now=100),
    }
    status = paused_status(before, generation=4, now=200)
    assert status["phase"] == "Paused"
    assert status["observedGeneration"] == 3, "the new spec was not acted on"
    assert status["url"] == "http://x"
    types = {condition["type"]: condition["status"] for condition in status["conditions"]}  # type: ignore[attr-defined]
    assert types == {"Ready": "True", "Paused": "True"}
    assert patch(status, paused_status(status, generation=4, now=300)) is None


def test_pausing_what_was_never_looked_at_leaves_it_unknown() -> None:
    status = paused_status({"observedGeneration": -1}, generation=1, now=0)
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [  # type: ignore[attr-defined]
        ("Ready", "Unknown"),
        ("Paused", "True"),
    ]
