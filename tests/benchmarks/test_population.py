"""What the bare client writes is what the operator would."""

import asyncio
from typing import Any

import pytest

from benchmarks.fleet import is_ready, limited
from benchmarks.floor import prepare
from benchmarks.population import agent_manifest, agent_name, children, like, revision_of, sources
from slipway_crds.validate import validate_documents


def test_what_is_applied_is_valid() -> None:
    manifests = [*sources("fleet"), *(agent_manifest("fleet", number) for number in range(3))]
    assert [str(each) for each in validate_documents(manifests) if not each.problem.waiting] == []


def test_an_agent_has_the_operators_objects_and_the_deployment_comes_last() -> None:
    made = children("fleet", 7, uid="uid-7")
    once = ["ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"]
    assert [each["kind"] for each in made] == [*once, "ConfigMap", "ConfigMap", "Service", "Deployment"]
    revision = revision_of("fleet", 7)
    assert {each["metadata"]["name"] for each in made} == {"agent-0007-agent", revision, f"{revision}-bindings"}
    assert {each["metadata"]["ownerReferences"][0]["uid"] for each in made} == {"uid-7"}


def test_an_edit_makes_another_revision() -> None:
    assert agent_manifest("fleet", 0)["spec"] != agent_manifest("fleet", 0, min_score="0.46")["spec"]


def test_one_status_stands_for_anothers() -> None:
    status = {"url": "http://x/agents/fleet/agent-0000", "revisions": [{"name": "agent-0000-aa", "weight": 100}]}
    names = {"agent-0000-aa": "agent-0003-bb", "agent-0000": "agent-0003", "/fleet/": "/floor/"}
    assert like(status, names=names) == {
        "url": "http://x/agents/floor/agent-0003",
        "revisions": [{"name": "agent-0003-bb", "weight": 100}],
    }


def test_everything_is_prepared_for_each_agent() -> None:
    sample = {"revisions": [{"name": revision_of("fleet", 0), "weight": 100}]}
    prepared = prepare("floor", 3, sample=sample, sampled_from="fleet")
    assert [each.name for each in prepared] == [agent_name(number) for number in range(3)]
    assert [each.status["revisions"][0]["name"] for each in prepared] == [each.revision for each in prepared]
    assert all(child["metadata"]["namespace"] == "floor" for each in prepared for child in each.children)


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({}, False),
        ({"observedGeneration": -1}, False),
        ({"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}]}, True),
        ({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}, False),
        ({"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "False"}]}, False),
    ],
)
def test_ready_is_about_the_newest_spec(status: dict[str, Any], ready: bool) -> None:
    assert is_ready({"metadata": {"generation": 2}, "status": status}) is ready


async def test_no_more_than_so_much_is_done_at_a_time() -> None:
    open_now, most = 0, 0

    async def work() -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0)
        open_now -= 1

    await limited((work() for _ in range(10)), in_flight=3)
    assert most == 3
