"""`make demo CONTEXT=... REGISTRY=...` on a cluster of the user's own, `make deploy` there, and `make down` at the end.

The tests go on where the one before them ended.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from devcluster.settings import Cluster, cluster
from scripts.deploy.__main__ import deployment, parser
from scripts.deploy.metrics import Bars
from scripts.deploy.objects import CANDIDATE, GATEWAY, LIVE, PART_OF, WAITING
from scripts.deploy.steps import Deployment
from slipway_demo import demo
from slipway_demo.clusters import GivenCluster
from slipway_demo.images import IMAGES
from slipway_demo.keys import demo_key
from slipway_demo.kube import Kube
from tests.support.cluster import new_cluster
from tests.support.operator_bench import wait
from tests.support.registry import kept_registry, registry

pytestmark = pytest.mark.cluster

NAME = "given"
KINDS = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,persistentvolumes"
SYSTEM = "--namespace=slipway-system"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def theirs() -> Iterator[Cluster]:
    """A cluster that Slipway did not start, with a context of its own in a kubeconfig."""
    wanted = cluster(NAME)
    with new_cluster(wanted, with_images=True), pytest.MonkeyPatch.context() as patched:
        patched.setenv("KUBECONFIG", str(wanted.kubeconfig))
        yield wanted


@pytest.fixture(scope="module")
def host(theirs: Cluster) -> Iterator[str]:
    """HOST:PORT of a registry that the cluster can pull from. It has what was pushed to it in earlier runs."""
    with registry(theirs, kept_registry()) as address:
        yield address


@pytest.fixture(scope="module")
def kube(theirs: Cluster) -> Kube:
    return GivenCluster(theirs.context, registry=None).kube()


@pytest.fixture(scope="module")
def before(kube: Kube) -> set[str]:
    """What of the cluster belonged to no namespace when nobody had touched it."""
    return _names(kube)


def test_the_demo_comes_to_a_named_cluster(
    theirs: Cluster, kube: Kube, host: str, before: set[str], tmp_path: Path
) -> None:
    (tmp_path / "locks.md").write_text("# Locks\n\nA lock of the Kiel Canal is filled in about eight minutes.\n")
    # Few documents: what the handbook needs to be read is shown on the other clusters.
    done = _demo("up", f"--context={theirs.context}", f"--registry={host}/slipway", f"--docs={tmp_path}")
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert "[1] " in shown
    assert f"make down CONTEXT={theirs.context}" in shown
    assert all(image.startswith(f"{host}/slipway/runtime:") for image in _images(kube, "demo", "agent"))
    assert before < _names(kube)


def test_other_documents_are_answered_from_and_changed_fields_put_back(
    theirs: Cluster, kube: Kube, host: str, tmp_path: Path
) -> None:
    patch = '[{"op": "replace", "path": "/spec/knowledge/0/minScore", "value": "0.44"}]'
    kube.run("patch", "agent", "handbook", "--namespace=demo", "--type=json", f"--patch={patch}")
    (tmp_path / "bees.md").write_text(
        "# Bees\n\n## Wintering\n\nA colony of honey bees keeps its winter cluster at about 35 degrees.\n"
    )
    done = _demo("up", f"--context={theirs.context}", f"--registry={host}/slipway", f"--docs={tmp_path}")
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert "given the example's values again" in shown
    found = kube.get("agent", "handbook", "--namespace=demo")["spec"]["knowledge"][0]["minScore"]
    assert found != "0.44"
    assert "about 35 degrees" in shown
    assert "bees.md › Bees > Wintering" in shown


def test_a_release_is_deployed_by_digest_with_the_old_gateways_there_until_the_end(
    kube: Kube, host: str, tmp_path: Path
) -> None:
    blue_green = _deployment("blue-green", _published(kube, host, tmp_path), tmp_path)
    revision = blue_green.revision()
    blue_green.start()
    assert kube.works("get", f"deployment/{CANDIDATE}", SYSTEM)
    assert _callers_reach(kube) == LIVE
    blue_green.compare()
    blue_green.switch()
    assert _callers_reach(kube) == WAITING
    blue_green.finish()
    assert _callers_reach(kube) == LIVE
    assert not kube.works("get", f"deployment/{CANDIDATE}", SYSTEM)
    assert blue_green.revision() == str(int(revision or 0) + 1)
    for namespace, component in (("slipway-system", "gateway"), ("slipway-system", "operator"), ("demo", "agent")):
        assert all("@sha256:" in image for image in _images(kube, namespace, component))


def test_a_canary_is_taken_back(kube: Kube, host: str, tmp_path: Path) -> None:
    canary = _deployment("canary", _published(kube, host, tmp_path), tmp_path)
    revision = canary.revision()
    canary.start()
    canary.roll_back()
    assert not kube.works("get", f"deployment/{CANDIDATE}", SYSTEM)
    assert (_callers_reach(kube), canary.revision()) == (LIVE, revision)
    canary.settled()


def test_what_the_demo_brought_is_taken_away(theirs: Cluster, kube: Kube, before: set[str]) -> None:
    done = _demo("down", f"--context={theirs.context}")
    assert done.returncode == 0, done.stdout + done.stderr
    # The cluster's own provisioner removes the volumes, in its time.
    wait(lambda: _names(kube) == before, lambda: f"still there: {_names(kube) - before}")


def _demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slipway_demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=os.environ)


def _deployment(strategy: str, published: Path, folder: Path) -> Deployment:
    """What `make deploy` does, with fewer questions."""
    values = folder / "values.yaml"
    values.write_text(yaml.safe_dump(demo.values()))
    context = cluster(NAME).context
    said = [
        f"--context={context}",
        f"--strategy={strategy}",
        f"--published={published}",
        "--values",
        str(values),
        "--minutes=0",
    ]
    return deployment(
        parser().parse_args(["start", *said, "--questions=10"]), key=demo_key(), bars=Bars(requests=10, noise_s=5)
    )


def _published(kube: Kube, host: str, folder: Path) -> Path:
    """The file that a release carries: the images that the demo pushed, by digest, and this working copy's chart."""
    done = _demo("publish-chart", f"--registry={host}/slipway", "--tag=0.2.0", f"--to={folder}")
    assert done.returncode == 0, done.stdout + done.stderr
    published = json.loads((folder / "chart.json").read_text())
    tags = json.loads(kube.run_helm("get", "values", "slipway", SYSTEM, "--output=json"))["image"]["tags"]
    for image in IMAGES:
        tag = tags[image.name].partition("@")[0]
        asked = urllib.request.Request(
            f"http://{host}/v2/slipway/{image.name}/manifests/{tag}", method="HEAD", headers={"Accept": MANIFEST}
        )
        with urllib.request.urlopen(asked, timeout=30) as response:
            digest = response.headers["Docker-Content-Digest"]
        published[image.name] = {"image": f"{host}/slipway/{image.name}", "tag": tag, "digest": digest}
    path = folder / "published.json"
    path.write_text(json.dumps(published))
    return path


def _callers_reach(kube: Kube) -> str:
    return str(kube.get("service", GATEWAY, SYSTEM)["spec"]["selector"][PART_OF])


def _images(kube: Kube, namespace: str, component: str) -> list[str]:
    """Images of the pods of a component that are not on their way out; there are some."""
    pods = kube.items("pods", f"--namespace={namespace}", f"--selector=slipway.dev/component={component}")
    staying = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    assert staying
    return [pod["spec"]["containers"][0]["image"] for pod in staying]


def _names(kube: Kube) -> set[str]:
    """What of a cluster belongs to no namespace, and the namespaces themselves."""
    return set(kube.run("get", KINDS, "--output=name").split())
