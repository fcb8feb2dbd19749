"""How many pods an Agent gets, by table: pure plans over what was observed."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.agent_plans import condition, current, plan, view
from tests.support.operator_builds import SETTINGS, agent
from tests.support.operator_objects import deployment


def scaled(child: dict[str, Any], spec: dict[str, Any], *more: dict[str, Any]) -> list[tuple[str, int | None, str]]:
    model = agent(scaling=spec)
    planned = plan(view(child, *more, agent=model))
    return [(each.deployment, each.replicas, each.remember) for each in planned.scale]


def test_replicas_are_written_only_when_the_manifest_says_something_new() -> None:
    name = current()
    remembered: dict[str, Any] = {"annotations": {"slipway.dev/scaled": "2"}}
    assert scaled(deployment(name), {"min": 1}) == []
    assert scaled(deployment(name, replicas=5), {"min": 1}) == [], "somebody has scaled it"
    assert scaled(deployment(name), {"min": 2}) == [(name, 2, "2")]
    assert scaled(deployment(name, replicas=7, **remembered), {"min": 2}) == []
    assert scaled(deployment(name, replicas=7, **remembered), {"min": 3}) == [(name, 3, "3")]
    hpa = deployment(name, replicas=7, scaled_by="kube-controller-manager", **remembered)
    assert scaled(hpa, {"min": 3}) == [(name, None, "3")], "an autoscaler of theirs is not fought"
    assert scaled(deployment(name, replicas=2), {"min": 2, "max": 4}) == [(name, 2, "auto")]
    ours = deployment(name, replicas=4, scaled_by="kube-controller-manager", annotations={"slipway.dev/scaled": "auto"})
    assert scaled(ours, {"min": 1}) == [(name, 1, "1")], "ours is gone"


def test_a_candidate_starts_with_as_many_pods_as_it_takes_over_from() -> None:
    serving = deployment("support-0000000000", replicas=5)
    candidate = deployment(current(), state="Candidate")
    assert scaled(candidate, {"min": 1}, serving) == [(current(), 5, "1")]
    model = agent(scaling={"min": 1})
    planned = plan(view(candidate, serving, agent=model))
    revisions: Any = planned.status["revisions"]
    assert [each["state"] for each in revisions] == ["Serving", "Candidate"], "one pod is not enough to take over"


@pytest.mark.parametrize(
    ("scaling", "limited"),
    [({"min": 1}, False), ({"min": 1, "max": 10}, False), ({"min": 1, "max": 11}, True), ({"min": 11}, True)],
)
def test_an_agent_that_may_need_more_connections_than_its_namespace_has_says_so(
    scaling: dict[str, int], limited: bool
) -> None:
    """A host takes up to 6, and a namespace has 60."""
    planned = plan(view(agent=agent(scaling=scaling)))
    found = condition(planned, "StoreLimited")
    assert bool(found) == limited
    if limited:
        assert (found["status"], found["reason"]) == ("True", "TooFewConnections")
        assert "11 pods may need 66 connections" in found["message"]
        assert "scaling.max to at most 10" in found["message"]
    assert not condition(
        plan(view(agent=agent(scaling=scaling)), replace(SETTINGS, connections_per_namespace=66)), "StoreLimited"
    )
