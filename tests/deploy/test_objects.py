"""What is started alongside the release: who reaches it, who lets it in, and that nothing else is changed."""

from typing import Any

import pytest

from scripts.deploy import objects
from scripts.deploy.cluster import NEW, STABLE
from scripts.deploy.objects import Strategy
from slipway_demo.errors import DemoError

Object = dict[str, Any]


def one(rendered: list[Object], kind: str) -> Object:
    (found,) = [each for each in rendered if each["kind"] == kind and each["metadata"]["name"] == objects.GATEWAY]
    return found


def labels(deployment: Object) -> dict[str, str]:
    found: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return found


@pytest.mark.parametrize(("strategy", "met", "replicas"), [(Strategy.CANARY, True, 1), (Strategy.BLUE_GREEN, False, 6)])
def test_callers_meet_a_canary_at_once_and_blue_green_when_switched(
    rendered: list[Object], strategy: Strategy, met: bool, replicas: int
) -> None:
    selector = one(rendered, "Service")["spec"]["selector"]
    made = objects.candidate(objects.gateway_of(rendered), strategy, replicas=6)
    assert (selector.items() <= labels(made).items()) is met
    assert made["spec"]["replicas"] == replicas
    switched = selector | objects.leads_to(objects.WAITING)["spec"]["selector"]
    assert (switched.items() <= labels(made).items()) is not met
    assert selector | objects.leads_to(objects.LIVE)["spec"]["selector"] == selector


@pytest.mark.parametrize("strategy", [Strategy.CANARY, Strategy.BLUE_GREEN])
def test_agents_let_the_new_gateway_in_and_it_selects_only_its_own_pods(
    rendered: list[Object], strategy: Strategy
) -> None:
    """Agents' NetworkPolicies go by the component alone (operator/slipway_operator/builders/policies.py)."""
    gateway = objects.gateway_of(rendered)
    made = objects.candidate(gateway, strategy, replicas=2)
    chosen = made["spec"]["selector"]["matchLabels"]
    assert labels(made)[objects.COMPONENT] == labels(gateway)[objects.COMPONENT]
    assert chosen.items() <= labels(made).items()
    assert not chosen.items() <= labels(gateway).items()


@pytest.mark.parametrize("strategy", [Strategy.CANARY, Strategy.BLUE_GREEN])
def test_the_new_gateway_is_as_guarded_as_the_old_ones(rendered: list[Object], strategy: Strategy) -> None:
    """Its metrics, its way out, and how many of its pods may be evicted at once."""
    made = labels(objects.candidate(objects.gateway_of(rendered), strategy, replicas=2))
    policy, budget = one(rendered, "NetworkPolicy")["spec"], one(rendered, "PodDisruptionBudget")["spec"]
    for selector in (policy["podSelector"], budget["selector"]):
        assert selector["matchLabels"].items() <= made.items()
        found = [
            each["metadata"]["name"]
            for each in rendered
            if "template" in each.get("spec", {}) and selector["matchLabels"].items() <= labels(each).items()
        ]
        assert found == [objects.GATEWAY]


def test_a_replacement_leaves_nothing_of_the_former_template_and_no_fewer_pods(rendered: list[Object]) -> None:
    gateway = objects.gateway_of(rendered)
    noted = {"meta.helm.sh/release-name": "slipway"}
    live = {"metadata": {"annotations": noted}, "spec": {"replicas": 6, "template": {"spec": {"volumes": ["old"]}}}}
    made = objects.replacement(live, gateway)
    assert made["spec"] == gateway["spec"] | {"replicas": 6}
    assert made["metadata"]["annotations"] == noted
    assert made["metadata"]["labels"] == gateway["metadata"]["labels"]


def test_what_runs_is_what_the_release_will_run(rendered: list[Object]) -> None:
    gateway = objects.gateway_of(rendered)
    made = objects.candidate(gateway, Strategy.CANARY, replicas=1)
    assert made["spec"]["template"]["spec"] == gateway["spec"]["template"]["spec"]
    assert made["metadata"]["name"] != gateway["metadata"]["name"]


def test_old_and_new_are_told_apart_by_their_labels(rendered: list[Object]) -> None:
    gateway = objects.gateway_of(rendered)
    for strategy in (Strategy.CANARY, Strategy.BLUE_GREEN):
        made = labels(objects.candidate(gateway, strategy, replicas=1))
        assert chosen(NEW, made)
        assert not chosen(STABLE, made)
    assert chosen(STABLE, labels(gateway))
    assert not chosen(NEW, labels(gateway))


def chosen(selector: str, found: dict[str, str]) -> bool:
    """Whether a selector of the form a=b,!c finds those labels."""
    return all(
        part[1:] not in found if part.startswith("!") else found.get(part.partition("=")[0]) == part.partition("=")[2]
        for part in selector.split(",")
    )


def test_a_chart_without_a_gateway_is_refused() -> None:
    with pytest.raises(DemoError, match="slipway-gateway"):
        objects.gateway_of([{"kind": "Service", "metadata": {"name": objects.GATEWAY}}])
