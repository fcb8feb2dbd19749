"""What runs in the cluster from the start."""

from importlib import resources
from typing import Any

import pytest
import yaml

from devcluster import addons, recipes
from devcluster.components import PROVISIONER_NAMESPACE, SHELL_IMAGE, storage_helper_pod
from devcluster.settings import DNS_ADDRESS, DOMAIN


def _objects() -> list[dict[str, Any]]:
    folder = resources.files("devcluster").joinpath("manifests")
    return [object_ for name in addons.MANIFESTS for object_ in yaml.safe_load_all(folder.joinpath(name).read_text())]


def _named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [item for item in _objects() if item["kind"] == kind and item["metadata"]["name"] == name]
    return found


def test_dns_runs_the_version_that_is_built_at_the_address_that_pods_are_told() -> None:
    (container,) = _named("Deployment", "coredns")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"slipway.local/coredns:{recipes.COREDNS_VERSION}"
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert _named("Service", "kube-dns")["spec"]["clusterIP"] == DNS_ADDRESS
    assert f"kubernetes {DOMAIN} " in _named("ConfigMap", "coredns")["data"]["Corefile"]


def test_storage_is_the_default_and_its_helpers_use_the_image_that_is_there() -> None:
    storage_class = _named("StorageClass", "local-path")
    assert storage_class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert _named("Namespace", PROVISIONER_NAMESPACE)
    assert storage_helper_pod()["spec"]["containers"][0]["image"] == SHELL_IMAGE


@pytest.mark.parametrize(
    ("report", "recent"),
    [
        ("True 2026-11-22T13:00:10Z", True),
        ("True 2026-11-22T13:00:09Z", True),  # the same second: times are cut off, not rounded
        ("True 2026-11-22T13:00:08Z", False),
        ("False 2026-11-22T13:00:10Z", False),
        ("Unknown 2026-11-22T13:00:10Z", False),
        ("", False),
    ],
)
def test_a_report_from_before_a_crash_does_not_count(report: str, recent: bool) -> None:
    since = 1795352409.7  # 2026-11-22 13:00:09.7 UTC
    assert addons.is_recent(report, since=since) is recent
