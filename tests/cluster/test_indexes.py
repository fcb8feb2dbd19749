"""What happens to an index's pods and volume on a real cluster."""

from typing import Any

import aiohttp
import pytest

from slipway_crds.meta import SERVE_ANNOTATION
from slipway_operator.indexes.ingest import GENERATION_ANNOTATION
from tests.support import operator_manifests as manifests
from tests.support.chatting import ask
from tests.support.operator_bench import Bench, bench, serving, wait

__all__ = ["bench", "serving"]
pytestmark = pytest.mark.cluster
DRAINS = "What does a pod that drains do?"


def quota(bench: Bench, **hard: str) -> dict[str, Any]:
    metadata = {"name": "team", "namespace": bench.namespace}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}


def stalled(bench: Bench, *, goes: bool = False) -> dict[str, Any]:
    """The index's condition, once it is there, or gone."""
    wait(lambda: bool(bench.condition("vectorindexes", "handbook", "Stalled")) != goes, lambda: f"Stalled goes: {goes}")
    return bench.condition("vectorindexes", "handbook", "Stalled")


def test_a_server_whose_pod_is_refused_says_so_until_it_is_let_in(bench: Bench) -> None:
    bench.apply(quota(bench, **{"limits.cpu": "4"}))
    bench.apply(manifests.documents(bench.namespace), manifests.index(bench.namespace))
    refused = stalled(bench)
    assert refused["reason"] == "PodsRefused"
    assert "must specify limits.cpu" in refused["message"]
    assert bench.condition("vectorindexes", "handbook")["reason"] == "PodsRefused"
    bench.installation.kube.run("delete", "resourcequota", "team", f"--namespace={bench.namespace}")
    bench.until_condition("vectorindexes", "handbook")
    stalled(bench, goes=True)


def test_an_ingestion_whose_pod_is_refused_says_so_until_it_is_let_in(serving: Bench) -> None:
    pods = len(serving.items("pods", "slipway.dev/component in (agent, index)"))
    serving.apply(quota(serving, pods=str(pods)))
    wait(lambda: serving.get("resourcequotas", "team").get("status", {}).get("used"), lambda: "the quota is in force")
    serving.apply(manifests.documents(serving.namespace, **{"a.md": "# Buoys\n\nThe red buoy marks the port side."}))
    refused = stalled(serving)
    assert refused["reason"] == "PodsRefused"
    assert "exceeded quota: team" in refused["message"]
    assert serving.condition("vectorindexes", "handbook")["status"] == "True", "the last build serves"
    serving.apply(quota(serving, pods=str(pods + 1)))
    serving.until_condition("vectorindexes", "handbook", condition="Synced")
    stalled(serving, goes=True)


def test_two_shards_make_one_index(bench: Bench) -> None:
    texts = {f"{number}.md": f"# Boat {number}\n\nThe boat {number} is launched at noon.\n" for number in range(8)}
    shards = manifests.index(bench.namespace, backend={"pgvector": {}}, ingestion={"shards": 2})
    bench.apply(manifests.documents(bench.namespace, **texts), shards)
    bench.until_condition("vectorindexes", "handbook", condition="Synced")
    assert bench.get("vectorindexes", "handbook")["status"]["documents"] == 8
    (job,) = bench.items("jobs")
    assert (job["spec"]["completionMode"], job["status"]["completedIndexes"]) == ("Indexed", "0,1")


def test_a_volume_that_is_deleted_is_noticed_and_filled_again(serving: Bench) -> None:
    """As docs/operations.md says: delete the claim and the pod."""
    kube, where = serving.installation.kube, f"--namespace={serving.namespace}"
    (first,) = serving.items("jobs")
    volume = serving.get("pvc", "data-handbook-index-0")["spec"]["volumeName"]
    kube.run("delete", "pvc", "data-handbook-index-0", "--wait=false", where)
    kube.run("delete", "pod", "handbook-index-0", where)
    lost = serving.until_condition("vectorindexes", "handbook", status="False", reason="IndexLost")
    assert "lost vectors" in lost["message"]
    serving.until_condition("vectorindexes", "handbook")
    serving.until_condition("agents", "support")
    assert serving.get("pvc", "data-handbook-index-0")["spec"]["volumeName"] != volume
    wait(
        lambda: serving.items("jobs") and first["metadata"]["name"] not in _names(serving.items("jobs")),
        lambda: "one Job has made good for it",
    )
    assert len(serving.items("jobs")) == 1
    assert serving.get("statefulsets", "handbook-index")["metadata"]["annotations"][GENERATION_ANNOTATION] == "1"


def _names(items: list[dict[str, Any]]) -> list[str]:
    return [str(item["metadata"]["name"]) for item in items]


async def test_an_index_moves_to_the_store_and_back_and_no_agent_is_restarted(
    serving: Bench, asking: aiohttp.ClientSession
) -> None:
    pods, agent = serving.ready_pods(), f"{serving.namespace}/support"
    before = await ask(asking, DRAINS, agent=agent)
    first = serving.get("vectorindexes", "handbook")["status"]["activeRevision"]

    def until_read(revision: str, *, but: bool = False) -> dict[str, Any]:
        """The status, once agents read this revision, or another one."""
        status: dict[str, Any] = {}

        def so() -> bool:
            nonlocal status
            status = serving.get("vectorindexes", "handbook")["status"]
            synced = serving.condition("vectorindexes", "handbook", "Synced")["status"]
            return bool((status["activeRevision"] == revision) != but and synced == "True")

        wait(so, lambda: f"{revision} {'not ' if but else ''}read; it is {status}")
        return status

    in_store = manifests.index(serving.namespace, backend={"pgvector": {}})
    serving.apply(in_store)
    moved = until_read(first, but=True)
    assert (moved["acceptance"]["accepted"], moved["previous"]["revision"]) == (True, first)
    said = serving.condition("vectorindexes", "handbook", "Available")["message"]
    assert said == "The vectors are in the store."
    after = await ask(asking, DRAINS, agent=agent)
    assert (after["answer"], serving.ready_pods()) == (before["answer"], pods)
    assert after["sources"]

    kube, where = serving.installation.kube, f"--namespace={serving.namespace}"
    kube.run("annotate", "vectorindex", "handbook", f"{SERVE_ANNOTATION}=previous", where)
    until_read(first)
    assert serving.condition("vectorindexes", "handbook", "Synced")["reason"] == "ServingFormerRevision"
    assert (await ask(asking, DRAINS, agent=agent))["answer"] == before["answer"]
    assert serving.get("statefulsets", "handbook-index"), "agents read from it"
    kube.run("annotate", "vectorindex", "handbook", f"{SERVE_ANNOTATION}-", where)
    until_read(moved["activeRevision"])
    serving.apply({**in_store, "spec": {**in_store["spec"], "revisions": {"keepFor": "0s"}}})
    wait(lambda: not serving.get("statefulsets", "handbook-index"), lambda: "the server goes a minute after that")
    assert (await ask(asking, DRAINS, agent=agent))["answer"] == before["answer"]
    assert serving.ready_pods() == pods
