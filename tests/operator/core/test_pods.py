"""What users put on pods, in the three places where they can: an agent, an index's server, an ingestion."""

from dataclasses import replace
from typing import Any

import pytest

from slipway_crds.bindings import host_files
from slipway_crds.podsettings import PodSettings
from slipway_crds.references import by_ref
from slipway_crds.resolve import ingest_config, resolve_agent, runtime_config
from slipway_crds.runtimeconfig import AgentConfig
from slipway_operator.agents.builders import Revision, revision_objects
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import Manifest
from slipway_operator.indexes.ingest import IngestSpec, ingest_objects
from slipway_operator.indexes.server import index_objects
from tests.support.operator_builds import SETTINGS, agent, index, owner
from tests.support.operator_manifests import POD

PLACES = ("agent", "index", "ingestion")


def template(place: str, settings: BuildSettings = SETTINGS, **pod: Any) -> Any:
    """The pod template that a manifest with these settings gives. Untyped, since the tests look deep inside."""
    given = PodSettings.model_validate(pod)
    objects: list[Manifest]
    if place == "agent":
        resolved = resolve_agent(agent(), by_ref([index()]))
        assert isinstance(resolved, AgentConfig)
        revision = Revision(config=runtime_config(resolved), files=host_files(agent()), state="Serving")
        objects = revision_objects(owner(), settings, revision, pod=given, store_secret="s")
    elif place == "index":
        chroma = index().spec.backend.chroma
        assert chroma is not None
        objects = index_objects(owner("VectorIndex"), settings, chroma, deletion_policy="Retain", pod=given)
    else:
        config = ingest_config(index())
        ingestion = IngestSpec(config=config, sources=(), sources_hash="1", server_uid="uid-s", content_generation=0)
        objects = list(ingest_objects(owner("VectorIndex"), settings, ingestion, pod=given, store_secret="s"))
    specs: list[Any] = [each["spec"] for each in objects if "template" in each.get("spec", {})]
    (spec,) = specs
    return spec["template"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.proves(
    "*.pod.nodeSelector",
    "*.pod.tolerations",
    "*.pod.affinity",
    "*.pod.topologySpreadConstraints",
    "*.pod.priorityClassName",
)
def test_where_pods_may_run_is_passed_through(place: str) -> None:
    spec = template(place, **POD)["spec"]
    assert spec["nodeSelector"] == POD["nodeSelector"]
    assert spec["tolerations"][:2] == POD["tolerations"][:2]
    assert spec["tolerations"][2] == {"operator": "Exists", "key": "short"}, "null stands for absent"
    assert spec["affinity"]["nodeAffinity"] == POD["affinity"]["nodeAffinity"]
    assert "podAffinity" not in spec["affinity"]
    assert spec["topologySpreadConstraints"] == POD["topologySpreadConstraints"]
    assert spec["priorityClassName"] == "agents"


@pytest.mark.parametrize("place", PLACES)
def test_what_is_not_given_is_not_there(place: str) -> None:
    nothing = template(place)
    empty = template(place, tolerations=[], nodeSelector={}, affinity={}, labels={}, imagePullSecrets=[])
    assert nothing == empty
    names = {"nodeSelector", "tolerations", "topologySpreadConstraints", "priorityClassName", "imagePullSecrets"}
    assert not names & nothing["spec"].keys()
    assert ("affinity" in nothing["spec"]) is (place == "agent")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.proves("*.pod.resources.*")
def test_resources_win_over_the_charts_part_by_part(place: str) -> None:
    chart = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": 2, "memory": "512Mi"}}
    settings = replace(SETTINGS, host_resources=chart, index_resources=chart, ingest_resources=chart)
    given = {"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}}

    def resources(**pod: Any) -> Any:
        return template(place, settings, **pod)["spec"]["containers"][0]["resources"]

    assert resources(resources=given) == {
        "requests": {"cpu": "2", "memory": "256Mi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    }
    others = {"requests": {"memory": "1Gi"}, "limits": {"cpu": "4"}}
    assert resources(resources=others) == {
        "requests": {"cpu": "100m", "memory": "1Gi"},
        "limits": {"cpu": "4", "memory": "512Mi"},
    }
    assert resources() == {**chart, "limits": {"cpu": "2", "memory": "512Mi"}}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.proves("*.pod.imagePullSecrets[].name")
def test_pull_secrets_are_added_to_the_charts(place: str) -> None:
    settings = replace(SETTINGS, image_pull_secrets=("chart", "both"))
    spec = template(place, settings, imagePullSecrets=[{"name": "both"}, {"name": "own"}])["spec"]
    assert spec["imagePullSecrets"] == [{"name": "chart"}, {"name": "both"}, {"name": "own"}]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.proves("*.pod.labels", "*.pod.annotations")
def test_labels_and_annotations_are_on_the_pods_and_slipways_own_stay(place: str) -> None:
    before, after = template(place)["metadata"], template(place, **POD)["metadata"]
    assert after["labels"] == {**POD["labels"], **before["labels"]}
    assert after["annotations"] == POD["annotations"]
    # The kinds refuse such a label; should one get here all the same, it changes nothing.
    assert template(place, labels={"slipway.dev/component": "gateway"})["metadata"] == before


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.proves("*.pod.serviceAccountName")
def test_another_service_account_gets_no_token_either(place: str) -> None:
    spec = template(place, serviceAccountName="search")["spec"]
    assert spec["serviceAccountName"] == "search"
    assert spec["automountServiceAccountToken"] is False
