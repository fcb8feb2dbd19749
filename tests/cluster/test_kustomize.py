"""The kustomize example, built by kubectl: what kustomize renames is renamed wherever our kinds name it.

No cluster runs for this, but kubectl is built with Kubernetes.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import lifecycle
from slipway_crds.manifests import ManifestDocument, load_text
from slipway_crds.validate import validate_set

pytestmark = pytest.mark.cluster

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "kustomize"


def build(folder: Path) -> list[ManifestDocument]:
    command = [str(lifecycle.kubectl_binary()), "kustomize", str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return load_text(built.stdout)


def by_kind(documents: list[ManifestDocument]) -> dict[str, Any]:
    return {document.value["kind"]: document.value for document in documents if isinstance(document.value, dict)}


def test_the_hash_of_a_generated_config_map_reaches_the_index() -> None:
    built = build(EXAMPLE)
    assert [str(finding) for finding in validate_set(built)] == []
    objects = by_kind(built)
    name = objects["ConfigMap"]["metadata"]["name"]
    assert name.startswith("ferries-")
    assert objects["VectorIndex"]["spec"]["sources"][0]["configMap"]["name"] == name


def test_names_reach_every_place_where_our_kinds_name_an_object(tmp_path: Path) -> None:
    folder = tmp_path / "kustomize"
    shutil.copytree(EXAMPLE, folder)
    index, agent = yaml.safe_load_all((folder / "agent.yaml").read_text())
    pod = {"imagePullSecrets": [{"name": "pull"}], "serviceAccountName": "runner"}
    agent["spec"]["pod"] = index["spec"]["pod"] = pod
    index["spec"]["ingestion"] = {"pod": pod}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}}
    (folder / "agent.yaml").write_text(yaml.safe_dump_all([agent, index, account]))
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    kustomization |= {"namePrefix": "dev-", "secretGenerator": [{"name": "pull", "literals": ["a=b"]}]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))

    objects = by_kind(build(folder))
    names = {kind: value["metadata"]["name"] for kind, value in objects.items()}
    assert names["Secret"].startswith("dev-pull-")
    expected = {
        "imagePullSecrets": [{"name": names["Secret"]}],
        "serviceAccountName": names["ServiceAccount"],
    }
    agent, index = objects["Agent"]["spec"], objects["VectorIndex"]["spec"]
    assert [agent["pod"], index["pod"], index["ingestion"]["pod"]] == [expected] * 3
    assert agent["knowledge"][0]["indexRef"]["name"] == names["VectorIndex"] == "dev-ferries"
    assert index["sources"][0]["configMap"]["name"] == names["ConfigMap"]
