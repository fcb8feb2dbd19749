"""The chart's life on a real cluster: what it renders is valid there, and releases come, change and go without loss."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from devcluster.commands import run
from devcluster.errors import DevclusterError
from slipway_demo import chart, waiting
from slipway_demo.paths import CHART, ROOT
from tests.chart.test_chart import MATRIX
from tests.support.chatting import ask, reachable
from tests.support.cluster import VALUES, Installation
from tests.support.manifests import environment
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster

CRDS = ("agents.slipway.dev", "vectorindexes.slipway.dev", "plugins.slipway.dev")
RELEASE = ("slipway", f"--namespace={chart.NAMESPACE}")


@pytest.fixture(scope="module")
def empty_namespace(installation: Installation) -> Iterator[str]:
    """A namespace where the chart is not installed, so that everything in it counts as new."""
    name = "chart-check"
    installation.kube.apply([chart.namespace(name)])
    yield name
    installation.kube.run("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("name", sorted(MATRIX))
def test_the_api_server_accepts_every_rendering(
    installation: Installation, tmp_path: Path, empty_namespace: str, name: str
) -> None:
    values = tmp_path / "values.json"
    values.write_text(json.dumps(MATRIX[name]))
    options = (f"--namespace={empty_namespace}", f"--values={values}", "--kube-version=1.34.0")
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(installation.kube.run_helm("template", "slipway", str(CHART), *options))
    checked = ("--dry-run=server", "--validate=strict", "--server-side", "--force-conflicts", "--field-manager=check")
    accepted = installation.kube.run("apply", *checked, f"--filename={rendered}").splitlines()
    assert len(accepted) > 10
    assert all("serverside-applied" in line for line in accepted)


@pytest.fixture
def previous_chart(tmp_path: Path) -> Path:
    """The chart as it was before its last committed change."""
    commits = _git("log", "--format=%H", "--", str(CHART)).split()
    if len(commits) < 2:
        pytest.skip("this checkout has no history of the chart")
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commits[1], str(CHART.relative_to(ROOT))], capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=archive.stdout, check=True)
    if "slipway-root" not in (tmp_path / CHART.relative_to(ROOT) / "templates" / "operator.yaml").read_text():
        pytest.skip("the chart before made the store's Secret itself, from where there is no upgrade")
    return tmp_path / CHART.relative_to(ROOT)


async def test_upgrade_from_the_previous_chart_and_rollback_keep_agents_and_conversations(
    installation: Installation, asking: aiohttp.ClientSession, previous_chart: Path, restored: None
) -> None:
    session = (await ask(asking))["session_id"]
    chart.install(installation.kube, {**VALUES, **installation.registry}, chart=previous_chart)
    waiting.for_workloads(installation.kube, chart.NAMESPACE, deadline_s=180)
    assert (await ask(asking, session_id=session))["session_id"] == session

    password = _password(installation)
    installation.upgrade({**VALUES, "gateway": {**VALUES["gateway"], "holdSeconds": 14}})
    assert _hold(installation) == "14"
    assert _password(installation) == password, "an upgrade made a new password for the store"
    assert (await ask(asking, session_id=session))["session_id"] == session

    installation.kube.run_helm("rollback", *RELEASE)
    waiting.for_workloads(installation.kube, chart.NAMESPACE, deadline_s=180)
    assert _hold(installation) == "15"
    await ask(asking, session_id=session)
    async with asking.get(f"/agents/demo/handbook/sessions/{session}") as response:
        assert len((await response.json())["turns"]) == 4


async def test_uninstalling_keeps_kinds_agents_and_the_store(
    installation: Installation, asking: aiohttp.ClientSession, restored: None
) -> None:
    session = (await ask(asking))["session_id"]
    index = _status(installation, "vectorindexes.slipway.dev")
    chart.uninstall(installation.kube)
    for name in CRDS:
        assert installation.kube.works("get", "customresourcedefinition", name)
    assert installation.ready_pods("demo", agent="handbook"), "agents stopped with the operator"
    assert not installation.kube.items("deployments", f"--namespace={chart.NAMESPACE}")

    installation.upgrade(VALUES)
    gateway = installation.target.open_gateway()  # the Service has a new address
    async with aiohttp.ClientSession(gateway, headers=asking.headers) as again:
        await until_async(lambda: reachable(again), "the new gateway answers", deadline=60)
        assert (await ask(again, session_id=session))["session_id"] == session
    assert _status(installation, "vectorindexes.slipway.dev")["lastSyncedTime"] == index["lastSyncedTime"]


def _git(*arguments: str) -> str:
    try:
        return run(["git", "-C", str(ROOT), *arguments])
    except DevclusterError as error:  # an archive of the sources has no history
        pytest.skip(f"git cannot show the chart's history: {error}")


def _password(installation: Installation) -> str:
    secret = installation.kube.get("secret", "slipway-postgres", f"--namespace={chart.NAMESPACE}")
    return str(secret["data"]["password"])


def _hold(installation: Installation) -> str:
    where = f"--namespace={chart.NAMESPACE}"
    spec = installation.kube.get("deployment", "slipway-gateway", where)["spec"]["template"]["spec"]
    return environment(spec)["SLIPWAY_HOLD_SECONDS"]


def _status(installation: Installation, kind: str) -> dict[str, str]:
    status: dict[str, str] = installation.kube.get(kind, "handbook", "--namespace=demo")["status"]
    return status
