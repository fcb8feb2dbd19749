"""A VectorIndex's server."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import Manifest
from slipway_operator.indexes.server import index_account, index_objects
from tests.support.operator_builds import FULL_SETTINGS, SETTINGS, index, owner


def rendered(settings: BuildSettings = SETTINGS, **spec: Any) -> list[Manifest]:
    model = index(**spec)
    assert model.spec.backend.server is not None
    of = owner("VectorIndex", "handbook")
    policy = model.spec.deletion_policy
    server = index_objects(of, settings, model.spec.backend.server, deletion_policy=policy, pod=model.spec.pod)
    return [index_account(of), *server]


def stateful_set(**spec: Any) -> Any:
    return next(manifest for manifest in rendered(**spec) if manifest["kind"] == "StatefulSet").get("spec")


@pytest.mark.parametrize(
    ("name", "settings", "spec"),
    [
        ("index", SETTINGS, {}),
        (
            "index-full",
            FULL_SETTINGS,
            {"backend": {"chroma": {"storage": "5Gi", "storageClassName": "fast"}}, "deletionPolicy": "Delete"},
        ),
    ],
)
def test_the_objects_are_as_they_were(
    golden: Callable[[str, Sequence[Manifest]], None], name: str, settings: BuildSettings, spec: dict[str, Any]
) -> None:
    golden(name, rendered(settings, **spec))


@pytest.mark.proves("VectorIndex.backend.chroma.storage")
def test_storage_sizes_the_volume() -> None:
    claim = stateful_set(backend={"chroma": {"storage": "7Gi"}})["volumeClaimTemplates"][0]
    assert claim["spec"]["resources"]["requests"]["storage"] == "7Gi"


@pytest.mark.proves("VectorIndex.backend.chroma.storageClassName")
def test_the_storage_class_is_the_volumes() -> None:
    claim = stateful_set(backend={"chroma": {"storageClassName": "fast"}})["volumeClaimTemplates"][0]
    assert claim["spec"]["storageClassName"] == "fast"
    assert "storageClassName" not in stateful_set()["volumeClaimTemplates"][0]["spec"], "the cluster's default"


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
@pytest.mark.proves("VectorIndex.deletionPolicy")
def test_the_deletion_policy_keeps_the_volume(policy: str) -> None:
    retention = stateful_set(deletionPolicy=policy)["persistentVolumeClaimRetentionPolicy"]
    assert retention["whenDeleted"] == policy


def test_only_readers_and_the_operator_reach_the_server_and_it_reaches_nobody() -> None:
    policy: Any = next(manifest for manifest in rendered() if manifest["kind"] == "NetworkPolicy").get("spec")
    readers, operator = policy["ingress"]
    assert readers["from"] == [{"podSelector": {"matchLabels": {"reads.slipway.dev/handbook": "true"}}}]
    assert operator["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "slipway-system"}},
            "podSelector": {"matchLabels": {"slipway.dev/component": "operator"}},
        }
    ]
    assert [each["port"] for rule in policy["ingress"] for each in rule["ports"]] == [8000, 8000]
    assert "egress" not in policy
    assert "Egress" in policy["policyTypes"]
