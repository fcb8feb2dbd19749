"""One real cluster for every test that needs one: started, images built and loaded, the chart installed, once.

It takes minutes on a cold machine, so what happens is shown even while pytest captures output. A cluster that runs
already is used as it is and left running; one that was started here is removed at the end. `SLIPWAY_TEST_CLUSTER` names
it; with `SLIPWAY_TEST_KEEP=1` it stays, which makes the next run quick. Without that, a worker does not use a cluster
that an interrupted run left: what that run's tests had put there would be in the way of this one's.

Most of the time such tests wait, so `make test-cluster` runs several at a time, each worker with clusters of its own.
Tests that share one run one after the other in one worker (`tests/support/workers.py`).
"""

import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from devcluster import checks, images, lifecycle, records, settings
from devcluster.errors import DevclusterError
from devcluster.settings import Cluster
from slipway_demo import builders, chart, demo, diagnosis, waiting
from slipway_demo.clusters import Devcluster
from slipway_demo.conditions import ObjectSummary
from slipway_demo.keys import demo_key, key_entry
from slipway_demo.kube import Kube
from slipway_demo.paths import cache_home

AGENT = "demo/handbook"
SMART_AGENT = "zoo/lead"
"""There while `tests/cluster/test_models.py` runs."""
OTHER_KEY = "slipway-another-caller-of-the-tests"
AUDIT_TAIL = 20_000_000
"""Bytes of the audit log that are kept with a failure."""

VALUES: dict[str, Any] = {
    "gateway": {
        "auth": {"keys": [key_entry(demo_key()), key_entry(OTHER_KEY, caller="other")]},
        "defaultAgent": AGENT,
        "smartAgent": SMART_AGENT,
        "identityNoticeSeconds": 20,
    },
    # Long enough for a stream to be open while something happens, short enough for many questions.
    "testing": {"deltaDelay": 1},
    "rollout": {"drainSeconds": 20, "deadlineSeconds": 30},
}


PACED = "SLIPWAY_TEST_DELTA_DELAY"


def environment_of(pod: dict[str, Any]) -> set[str]:
    """Names of the variables of a pod's first container."""
    return {variable["name"] for variable in pod["spec"]["containers"][0].get("env", [])}


def is_controlled(pod: dict[str, Any]) -> bool:
    """Whether a controller made a pod. Anybody may put our labels on a pod of their own."""
    return any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences", []))


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod says that it is ready."""
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


@dataclass(frozen=True)
class Installation:
    """The chart on the cluster, and what it takes to use it."""

    target: Devcluster
    kube: Kube
    tags: dict[str, str]
    """Image name -> tag."""

    @property
    def registry(self) -> dict[str, Any]:
        """The chart values that name the images."""
        return chart.image_values("slipway.local", self.tags)

    def upgrade(self, values: dict[str, Any]) -> None:
        """Upgrade the release to these values and wait for its pods."""
        chart.install(self.kube, {**values, **self.registry})
        waiting.for_workloads(self.kube, chart.NAMESPACE, deadline_s=180)

    def restore(self) -> None:
        """Give the release the tests' values again, and wait until the agent's pods were made with them."""
        self.upgrade(VALUES)
        waiting.until_ready("waiting for paced pods of the agent", self._paced, deadline_s=240)
        waiting.for_kinds(self.kube, "demo", deadline_s=120)

    def _paced(self) -> list[ObjectSummary]:
        pods = self.pods("demo", agent="handbook")
        return [
            ObjectSummary(
                pod["metadata"]["name"],
                ready=is_ready(pod) and PACED in environment_of(pod),
                text="made with the tests' values" if PACED in environment_of(pod) else "of the values before",
            )
            for pod in pods
        ]

    def container(self, namespace: str, pod: str) -> str:
        """Id of a pod's first container."""
        status = self.kube.get("pod", pod, f"--namespace={namespace}")["status"]
        return str(status["containerStatuses"][0]["containerID"].removeprefix("containerd://"))

    def kill(self, *containers: str) -> None:
        """Kill containers with SIGKILL, as a crash or the kernel would: no notice, no grace."""
        _, holder = lifecycle.running_node(settings.cluster(self.target.name))
        for container in containers:
            images.ctr(holder, "task", "kill", "--signal=SIGKILL", container)

    def restarts(self, namespace: str, **labels: str) -> dict[str, int]:
        """Pod -> how often its first container was started again."""
        return {
            pod["metadata"]["name"]: status["restartCount"]
            for pod in self.pods(namespace, **labels)
            for status in pod["status"].get("containerStatuses", [])[:1]
        }

    def renew(self, namespace: str, *, count: int, **labels: str) -> list[str]:
        """Names of so many ready pods whose containers were never started again; the other pods are replaced.

        A container that is killed for the second time is started again only after 10 s, then 20 s and so on: longer
        than anybody is asked to wait. A test that kills begins with fresh pods, whatever others killed before.
        """
        worn = [pod for pod, restarts in self.restarts(namespace, **labels).items() if restarts]
        if worn:
            self.kube.run("delete", "pod", *worn, f"--namespace={namespace}", "--timeout=120s")

        def fresh() -> list[ObjectSummary]:
            ready = self.ready_pods(namespace, **labels)
            views = [ObjectSummary(pod, ready=pod in ready, text="") for pod in self.restarts(namespace, **labels)]
            return (
                views
                if len(views) == count
                else [*views, ObjectSummary("the pods", ready=False, text=f"{count} are to come")]
            )

        waiting.until_ready("waiting for fresh pods", fresh, deadline_s=180)
        return self.ready_pods(namespace, **labels)

    def pods(self, namespace: str, **labels: str) -> list[dict[str, Any]]:
        """Pods of controllers that are not on their way out, by labels (component="agent" is slipway.dev/component)."""
        selector = ",".join(f"slipway.dev/{key}={value}" for key, value in labels.items())
        found = self.kube.items("pods", f"--namespace={namespace}", f"--selector={selector}")
        return [pod for pod in found if is_controlled(pod) and not pod["metadata"].get("deletionTimestamp")]

    def there(self, namespace: str) -> set[str]:
        """Names of all pods that are still there, those on their way out too."""
        return {pod["metadata"]["name"] for pod in self.kube.items("pods", f"--namespace={namespace}")}

    def ready_pods(self, namespace: str, **labels: str) -> list[str]:
        """Names of those of them that are ready."""
        return [pod["metadata"]["name"] for pod in self.pods(namespace, **labels) if is_ready(pod)]


@dataclass(frozen=True)
class Gateway:
    """The front door, from this machine."""

    url: str
    key: str


@pytest.fixture(scope="session")
def test_cluster(request: pytest.FixtureRequest) -> Iterator[Devcluster]:
    """The running cluster, with nothing said about what is in it."""
    name = os.environ.get("SLIPWAY_TEST_CLUSTER", "test")
    target = Devcluster(_own(name))
    of_a_worker, keep = target.name != name, bool(os.environ.get("SLIPWAY_TEST_KEEP"))
    existed = not of_a_worker and records.load(settings.cluster(target.name)) is not None
    try:
        with shown(request):
            if of_a_worker and not keep:
                lifecycle.down(settings.cluster(target.name))
            start_with_images(settings.cluster(target.name))
        yield target
    finally:
        if not existed and not keep:
            with shown(request):
                target.stop()


def _own(name: str) -> str:
    """The name of a cluster that several workers would have, for this one."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return f"{name}-{worker}" if worker else name


@pytest.fixture(scope="session")
def api_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """An API server with its etcd and nothing else: there in seconds."""
    wanted = settings.cluster(_own("api-tests"))
    with contextlib.ExitStack() as started:
        with shown(request):
            started.enter_context(new_cluster(wanted, api_only=True))
        yield wanted


@contextlib.contextmanager
def new_cluster(wanted: Cluster, *, api_only: bool = False, with_images: bool = False) -> Iterator[None]:
    """A cluster for the block, with nothing in it that an interrupted run left there.

    Args:
        with_images: whether its node has the layers of this working copy's images. What it pulls is unpacked by then.
    """
    checks.ensure(install=True)
    lifecycle.down(wanted)
    try:
        names = built_images() if with_images else []
        lifecycle.up(wanted, minor=settings.DEFAULT_MINOR, api_only=api_only, with_images=names)
        yield
    finally:
        lifecycle.down(wanted)


def start_with_images(wanted: Cluster) -> None:
    """Start a cluster with the images of this working copy, which are unpacked once for all clusters of a run."""
    checks.ensure(install=True)
    lifecycle.up(wanted, minor=settings.DEFAULT_MINOR, api_only=False, with_images=built_images())


def built_images() -> list[str]:
    """Names of this working copy's images in buildah's store, built if need be."""
    tags = builders.ensure(builders.Buildah())
    return [builders.local_reference(name, tag) for name, tag in tags.items()]


@pytest.fixture(scope="session")
def kubeconfig(test_cluster: Devcluster) -> Path:
    """Path of the cluster's kubeconfig."""
    return settings.cluster(test_cluster.name).kubeconfig


@pytest.fixture(scope="session")
def installation(test_cluster: Devcluster, request: pytest.FixtureRequest) -> Installation:
    """The chart, installed from this working copy."""
    with shown(request):
        kube, tags = demo.prepare(test_cluster, VALUES)
    return Installation(test_cluster, kube, tags)


@pytest.fixture
def restored(installation: Installation) -> Iterator[None]:
    """Whatever a test does to the release, the next one finds it as it was."""
    yield
    installation.restore()


@pytest.fixture(scope="session")
def kube(installation: Installation) -> Kube:
    """kubectl and helm for the cluster with the chart."""
    return installation.kube


@pytest.fixture(scope="session")
def cluster_gateway(installation: Installation, handbook: str) -> Gateway:
    """The gateway behind a port of this machine, with a key that may ask."""
    return Gateway(installation.target.open_gateway(), demo_key())


@pytest.fixture
async def asking(cluster_gateway: Gateway) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the gateway, with its key."""
    async with asking_as(cluster_gateway, cluster_gateway.key) as session:
        yield session


def asking_as(gateway: Gateway, key: str) -> aiohttp.ClientSession:
    """A client of the gateway with some key. Connections are not reused, so that kube-proxy spreads them."""
    return aiohttp.ClientSession(
        gateway.url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=aiohttp.ClientTimeout(total=120),
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep what a failure says, which nobody would see if the second try passed, and what the cluster reports of it."""
    report = yield
    if not report.failed or not item.get_closest_marker("cluster"):  # type: ignore[attr-defined]
        return report
    folder = cache_home() / "test-artefacts" / f"{time.strftime('%m%d-%H%M%S')}-{item.name[:60]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "failure.txt").write_text(report.longreprtext)  # type: ignore[attr-defined]
    installed = getattr(item, "funcargs", {}).get("installation")
    if isinstance(installed, Installation):
        try:
            _keep(installed, folder)
        except DevclusterError as error:  # a cluster that does not answer must not end the whole run
            (folder / "diagnosis.txt").write_text(str(error))
        report.sections.append(("what the cluster says", f"objects, events, logs and audit log: {folder}"))  # type: ignore[attr-defined]
    return report


def _keep(installed: Installation, folder: Path) -> None:
    diagnosis.dump(installed.kube, (chart.NAMESPACE, demo.NAMESPACE), folder)
    (folder / "diagnosis.txt").write_text(diagnosis.describe(installed.kube, (chart.NAMESPACE, demo.NAMESPACE)))
    log = settings.cluster(installed.target.name).audit_log
    if log.is_file():
        with log.open("rb") as source, (folder / "audit.log").open("wb") as target:
            source.seek(max(0, log.stat().st_size - AUDIT_TAIL))
            shutil.copyfileobj(source, target)


@contextlib.contextmanager
def shown(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let what happens reach the terminal: it takes minutes when nothing is cached."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        yield
