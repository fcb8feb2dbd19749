"""`make demo CONTEXT=... REGISTRY=...` on a cluster of the user's own, and `make down` that leaves it as it was."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster import checks, lifecycle
from devcluster.settings import DEFAULT_MINOR, Cluster, cluster
from slipway_demo.clusters import Given
from slipway_demo.kube import Kube
from tests.support.operator_bench import wait
from tests.support.registry import registry

pytestmark = pytest.mark.cluster

NAME = "given"
KINDS = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,persistentvolumes"


@pytest.fixture
def theirs() -> Iterator[Cluster]:
    """A cluster that Slipway did not start, with a context of its own in a kubeconfig."""
    wanted = cluster(NAME)
    checks.ensure(install=True)
    lifecycle.up(wanted, minor=DEFAULT_MINOR, api_only=False)
    yield wanted
    lifecycle.down(wanted)


def test_the_demo_comes_to_a_named_cluster_and_leaves_nothing_behind(
    theirs: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(theirs.kubeconfig))
    kube = Given(theirs.context, registry=None).kube()
    before = _names(kube)
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "locks.md").write_text("# Locks\n\nA lock of the Kiel Canal is filled in about eight minutes.\n")
    with registry(theirs, tmp_path) as host:
        # Few documents: what the handbook needs to be read is shown on the other clusters.
        done = _demo("up", f"--context={theirs.context}", f"--registry={host}/slipway", f"--docs={folder}")
        shown = done.stdout + done.stderr
        assert done.returncode == 0, shown
        assert "[1] " in shown
        assert f"make down CONTEXT={theirs.context}" in shown
        pods = kube.items("pods", "--namespace=demo", "--selector=slipway.dev/component=agent")
        assert pods[0]["spec"]["containers"][0]["image"].startswith(f"{host}/slipway/runtime:")
    done = _demo("down", f"--context={theirs.context}")
    assert done.returncode == 0, done.stdout + done.stderr
    # The cluster's own provisioner removes the volumes, in its time.
    wait(lambda: _names(kube) == before, lambda: f"still there: {_names(kube) - before}")


def _demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slipway_demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=os.environ)


def _names(kube: Kube) -> set[str]:
    """What of a cluster belongs to no namespace, and the namespaces themselves."""
    return set(kube.run("get", KINDS, "--output=name").split())
