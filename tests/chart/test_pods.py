"""Where the release's own pods run and what they carry."""

from typing import Any

import pytest

from tests.chart.conftest import Render
from tests.chart.test_values import COMPONENTS, POD
from tests.support.manifests import find

KINDS = {"operator": "Deployment", "gateway": "Deployment", "postgres": "StatefulSet"}


def template(objects: list[dict[str, Any]], component: str) -> Any:
    """The pod template of one component."""
    return find(objects, KINDS[component], f"slipway-{component}")["spec"]["template"]


def test_every_pod_of_the_release_is_of_a_component_that_takes_the_settings(render: Render) -> None:
    made = {item["metadata"]["name"] for item in render({}) if "template" in item.get("spec", {})}
    assert made == {f"slipway-{component}" for component in COMPONENTS}


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_settings_are_on_the_pods_and_on_no_others(render: Render, component: str) -> None:
    values = {"image": {"pullSecrets": ["chart"]}}
    before, after = render(values), render({**values, component: POD})
    pod, old = template(after, component), template(before, component)
    for name in ("nodeSelector", "tolerations", "topologySpreadConstraints", "priorityClassName", "serviceAccountName"):
        assert pod["spec"][name] == POD[name], name
        assert name == "serviceAccountName" or name not in old["spec"]
    assert pod["spec"]["affinity"] == {**old["spec"]["affinity"], **POD["affinity"]}
    assert pod["spec"]["imagePullSecrets"] == [{"name": "chart"}, {"name": "own"}]
    assert pod["metadata"]["labels"] == {**old["metadata"]["labels"], **POD["labels"]}
    assert pod["metadata"]["annotations"] == POD["annotations"]
    assert pod["spec"]["automountServiceAccountToken"] is old["spec"]["automountServiceAccountToken"]
    for other in set(COMPONENTS) - {component}:
        assert template(after, other) == template(before, other)


@pytest.mark.parametrize("component", COMPONENTS)
def test_pods_prefer_different_nodes_and_zones_unless_the_values_say_otherwise(render: Render, component: str) -> None:
    pod = template(render({}), component)
    assert list(pod["spec"]["affinity"]) == ["podAntiAffinity"]
    assert list(pod["spec"]["affinity"]["podAntiAffinity"]) == ["preferredDuringSchedulingIgnoredDuringExecution"]
    terms = pod["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    keys = {each["podAffinityTerm"]["topologyKey"] for each in terms}
    assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    for each in terms:
        selected = each["podAffinityTerm"]["labelSelector"]["matchLabels"]
        assert selected["slipway.dev/component"] == component
        assert selected.items() <= pod["metadata"]["labels"].items()
    packed = template(render({component: {"affinity": {"podAntiAffinity": {}}}}), component)
    assert packed["spec"]["affinity"] == {"podAntiAffinity": {}}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_given_service_account_gets_the_rights_and_the_chart_makes_none(render: Render, component: str) -> None:
    before, after = render({}), render({component: {"serviceAccountName": "given"}})
    own = ("ServiceAccount", f"slipway-{component}")
    assert own in [(item["kind"], item["metadata"]["name"]) for item in before]
    assert own not in [(item["kind"], item["metadata"]["name"]) for item in after]
    bound = [subject["name"] for item in before for subject in item.get("subjects", ())]
    given = [subject["name"] for item in after for subject in item.get("subjects", ())]
    assert given == ["given" if name == f"slipway-{component}" else name for name in bound]


def test_a_value_that_is_set_to_nothing_is_not_there(render: Render) -> None:
    nothing = {name: None for name in POD}
    for component in COMPONENTS:
        assert template(render({component: nothing}), component) == template(render({}), component)
