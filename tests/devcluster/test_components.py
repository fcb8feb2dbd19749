"""Command lines and configuration of the cluster's processes."""

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from devcluster import components, lifecycle
from devcluster.components import Binaries, Component
from devcluster.records import ClusterRecord
from devcluster.settings import Cluster

GOLDEN = Path(__file__).parent / "golden" / "components.txt"
BINARIES = Binaries(kube=Path("/bin/kube"), etcd=Path("/bin/etcd"), provisioner=Path("/bin/storage"))


def _components(cluster: Cluster) -> Iterator[Component]:
    yield components.containerd(cluster)
    yield from components.control_plane(cluster, BINARIES)
    yield from components.controllers(cluster, BINARIES)


def _rendered(cluster: Cluster) -> str:
    """Every command line and every configuration file, with the cluster's folder written as ROOT."""
    parts = []
    for component in _components(cluster):
        first, *rest = component.command
        parts.append("\n".join([f"# {component.name}", first, *(f"  {shlex.quote(argument)}" for argument in rest)]))
    for path, content in lifecycle.configuration(cluster, cni_plugins=Path("/usr/lib/cni")).items():
        parts.append(f"# {path.relative_to(cluster.root)}\n{content}")
    return "\n\n".join(parts).replace(str(cluster.root), "ROOT")


def test_command_lines_and_configuration_are_as_reviewed() -> None:
    """To accept a change: UPDATE_GOLDEN=1 pytest tests/devcluster/test_components.py, and read the difference."""
    rendered = _rendered(Cluster("devcluster"))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(rendered)
    assert rendered == GOLDEN.read_text()


def test_two_clusters_share_no_folder_and_no_cgroup() -> None:
    one, two = Cluster("one"), Cluster("two")
    differing = (_rendered(one).replace("devcluster-one", "X"), _rendered(two).replace("devcluster-two", "X"))
    assert differing[0].replace("slipway-devcluster/one", "G") == differing[1].replace("slipway-devcluster/two", "G")
    assert str(two.root) not in "".join(" ".join(component.command) for component in _components(one))


@pytest.mark.parametrize(
    ("user", "groups", "verb", "logged"),
    [
        ("system:serviceaccount:slipway:operator", [], "get", True),
        ("system:serviceaccount:slipway:operator", [], "patch", True),
        ("admin", ["system:masters"], "list", True),
        ("system:kube-scheduler", [], "watch", False),
        ("system:kube-scheduler", [], "create", True),
        ("system:node:devcluster", ["system:nodes"], "get", False),
        ("system:node:devcluster", ["system:nodes"], "patch", True),
    ],
)
def test_the_audit_log_has_all_writes_and_leaves_out_only_the_components_reads(
    user: str, groups: list[str], verb: str, logged: bool
) -> None:
    assert (_audit_level(user=user, groups=groups, verb=verb) == "Metadata") is logged


def _audit_level(*, user: str, groups: list[str], verb: str) -> str:
    """The level of the first rule that matches a request for an object, as the API server evaluates them."""
    for rule in components.audit_policy()["rules"]:
        matches = (
            "nonResourceURLs" not in rule,
            user in rule.get("users", [user]),
            not rule.get("userGroups") or set(groups) & set(rule["userGroups"]),
            verb in rule.get("verbs", [verb]),
        )
        if all(matches):
            return str(rule["level"])
    raise AssertionError("no rule matches, so the request would not be logged")


def test_configuration_says_when_a_file_of_a_running_cluster_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    cluster, record = Cluster("one"), ClusterRecord(port=1)
    assert not lifecycle.configure(cluster, record)
    assert not lifecycle.configure(cluster, record)
    file = cluster.config / "kubelet.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "maxPods": 1}))
    assert lifecycle.configure(cluster, record)
    assert yaml.safe_load(file.read_text())["maxPods"] == 200


def test_the_network_configuration_is_json_with_the_plugins_that_debian_has() -> None:
    plugins = json.loads(json.dumps(components.network_configuration(Cluster("one"))))["plugins"]
    assert [plugin["type"] for plugin in plugins] == ["bridge", "portmap"]
